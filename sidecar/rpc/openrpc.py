"""Owns the OpenRPC document: makes it from the tables of core/contract/protocol.py.

Does not know the handlers of the methods.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Mapping
from enum import Enum
from typing import Literal, get_args, get_origin

from sidecar import __version__
from sidecar.core.contract.errors import ErrorCode
from sidecar.core.contract.protocol import (
    CLIENT_REQUESTS,
    ERRORS,
    METHODS,
    NOTIFICATIONS,
    PROTOCOL_VERSION,
    PluginMethod,
)
from sidecar.core.contract.wire import EncodedJson, IsoTime, WireField, fields_of
from sidecar.core.contract.wire import Json as AnyJson

Json = dict[str, object]

OPENRPC_VERSION = "1.3.2"
"""spec.open-rpc.org"""

_PLAIN: dict[object, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    object: {"type": "object"},
    AnyJson: {},
    EncodedJson: {},
    IsoTime: {
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    },
}


@functools.cache
def document(plugin_methods: tuple[PluginMethod, ...] = ()) -> Json:
    """Return the whole contract as an OpenRPC document, with the methods of the voice plug-in.

    OpenRPC has no member for notifications or for requests to the client. The document has them
    under `x-notifications` and `x-client-requests`.
    """
    schemas: dict[str, Json] = {}
    methods: list[Json] = [
        {
            "name": row.name,
            "summary": row.summary,
            "paramStructure": "by-name",
            "params": [_param(each, schemas) for each in fields_of(row.params)],
            "result": {"name": "result", "schema": schema(row.result, schemas)},
            "errors": [{"code": int(code), "message": ERRORS[code]} for code in row.errors],
        }
        for row in METHODS.values()
    ]
    methods += [_plugin_method(each) for each in plugin_methods]
    notifications = [
        {"name": name, "summary": _summary(shape), "params": schema(shape, schemas)}
        for shape, name in NOTIFICATIONS.items()
    ]
    client_requests = [
        {
            "name": row.name,
            "summary": row.summary,
            "params": schema(row.params, schemas),
            "result": schema(row.result, schemas),
        }
        for row in CLIENT_REQUESTS.values()
    ]
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "Clara voice sidecar",
            "version": __version__,
            "description": "JSON-RPC 2.0 over stdio, one message a line.",
            "x-protocol-version": PROTOCOL_VERSION,
        },
        "methods": methods,
        "x-notifications": notifications,
        "x-client-requests": client_requests,
        "x-errors": [{"code": int(code), "message": text} for code, text in ERRORS.items()],
        "components": {"schemas": schemas},
    }


@functools.cache
def encoded_document(plugin_methods: tuple[PluginMethod, ...] = ()) -> EncodedJson:
    """Return `document` as text, made once: a thousand answers took seconds."""
    return EncodedJson(document(plugin_methods), sys.maxsize)


def schema(kind: object, schemas: dict[str, Json]) -> Json:
    """Return the JSON Schema of *kind*, a type of the contract.

    Puts each shape and enum into *schemas* once, and returns a reference to it.
    """
    try:
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
    except TypeError:
        pass
    origin = get_origin(kind)
    if origin is types.UnionType:
        return {"anyOf": [schema(_none_or(each), schemas) for each in get_args(kind)]}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin is tuple:
        return {"type": "array", "items": schema(get_args(kind)[0], schemas)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if isinstance(kind, type) and issubclass(kind, Enum):
        schemas.setdefault(kind.__name__, {"enum": [each.value for each in kind]})
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if kind.__name__ not in schemas:
            schemas[kind.__name__] = {}
            schemas[kind.__name__] = _object(kind, schemas)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    raise TypeError(f"{kind!r} has no JSON Schema here")


def _plugin_method(method: PluginMethod) -> Json:
    session = {"name": "sessionId", "required": True, "schema": {"type": "string"}}
    errors = (ErrorCode.INVALID_PARAMS, ErrorCode.UNKNOWN_SESSION)
    return {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": [
            session,
            *(
                {"name": each.name, "required": each.is_required, "schema": each.json_schema}
                for each in method.params
            ),
        ],
        "result": {"name": "result", "schema": {}},
        "errors": [{"code": int(code), "message": ERRORS[code]} for code in errors],
    }


def _none_or(kind: object) -> object:
    return None if kind is type(None) else kind


def _object(cls: type, schemas: dict[str, Json]) -> Json:
    fields = fields_of(cls)
    return {
        "type": "object",
        "description": _summary(cls),
        "properties": {each.wire_name: _described(each, schemas) for each in fields},
        "required": [each.wire_name for each in fields if each.required],
    }


def _param(each: WireField, schemas: dict[str, Json]) -> Json:
    return {
        "name": each.wire_name,
        "required": each.required,
        "description": each.doc,
        # A caller may send null for an optional param: it means the same as leaving it out.
        "schema": _nullable(each, schemas, or_left_out=True),
    }


def _described(each: WireField, schemas: dict[str, Json]) -> Json:
    return {**_nullable(each, schemas), "description": each.doc}


def _nullable(each: WireField, schemas: dict[str, Json], *, or_left_out: bool = False) -> Json:
    found = schema(each.type, schemas)
    if each.max_items is not None:
        found["maxItems"] = each.max_items
    is_nullable = each.nullable or (or_left_out and each.optional)
    return {"anyOf": [found, {"type": "null"}]} if is_nullable else found


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
