"""The OpenRPC document: whole, valid, and the same contract that the methods keep."""

from __future__ import annotations

import dataclasses
import json
import typing

import pytest
from jsonschema import Draft202012Validator

from sidecar.core.contract.errors import ErrorCode, InvalidParams
from sidecar.core.contract.protocol import ERRORS, METHODS, NOTIFICATIONS, PROTOCOL_VERSION
from sidecar.core.contract.wire import fields_of, parse
from sidecar.rpc.openrpc import document
from tests.rpc import notices
from tests.rpc.asked import VALID
from tests.rpc.contract_reader import Contract, references_in, schemas_in
from tests.written import written

DOCUMENT = document()
CONTRACT = Contract(DOCUMENT)

OPENRPC = {
    "type": "object",
    "required": ["openrpc", "info", "methods"],
    "patternProperties": {"^x-": {}},
    "additionalProperties": False,
    "properties": {
        "openrpc": {"pattern": r"^1\.3\.\d+$"},
        "info": {
            "required": ["title", "version"],
            "patternProperties": {"^x-": {}},
            "properties": {
                name: {"type": "string"} for name in ("title", "version", "description")
            },
            "additionalProperties": False,
        },
        "methods": {
            "type": "array",
            "items": {
                "required": ["name", "params", "result"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "summary": {"type": "string", "minLength": 1},
                    "paramStructure": {"const": "by-name"},
                    "params": {"type": "array", "items": {"$ref": "#/$defs/content"}},
                    "result": {"$ref": "#/$defs/content"},
                    "errors": {"type": "array", "items": {"$ref": "#/$defs/error"}},
                },
            },
        },
        "components": {"type": "object", "properties": {"schemas": {"type": "object"}}},
    },
    "$defs": {
        "content": {
            "type": "object",
            "required": ["name", "schema"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": r"^[a-zA-Z]+$"},
                "description": {"type": "string", "minLength": 1},
                "required": {"type": "boolean"},
                "schema": {"type": "object"},
            },
        },
        "error": {
            "required": ["code", "message"],
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
        },
    },
}
"""What spec.open-rpc.org 1.3 asks of a document, as far as ours uses it."""

SAMPLES = [True, 0, 1, -1, 1.5, "", "text", [], [1], ["a"], {}, {"a": "b"}, {"a": 1}]


def shapes() -> list[type]:
    """Every dataclass that the contract reaches, params, results and notifications."""
    found: list[type] = []

    def visit(kind: object) -> None:
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in found:
            found.append(kind)
            for each in fields_of(kind):
                visit(each.type)
        for inner in typing.get_args(kind):
            visit(inner)

    for row in METHODS.values():
        visit(row.params)
        visit(row.result)
    for shape in NOTIFICATIONS:
        visit(shape)
    return found


def test_the_document_is_an_openrpc_document():
    Draft202012Validator(OPENRPC).validate(DOCUMENT)
    assert json.loads(json.dumps(DOCUMENT, allow_nan=False)) == DOCUMENT


def test_every_schema_in_it_is_a_json_schema_and_every_reference_leads_somewhere():
    for schema in schemas_in(DOCUMENT):
        Draft202012Validator.check_schema(schema)
    for reference in references_in(DOCUMENT):
        prefix, _, name = reference.rpartition("/")
        assert prefix == "#/components/schemas"
        assert name in DOCUMENT["components"]["schemas"]


def test_there_is_a_method_for_each_row_of_the_contract():
    assert [each["name"] for each in DOCUMENT["methods"]] == list(METHODS)
    assert DOCUMENT["info"]["x-protocol-version"] == PROTOCOL_VERSION


def test_the_errors_of_a_method_are_those_of_its_row():
    for name, row in METHODS.items():
        listed = [each["code"] for each in CONTRACT.methods[name]["errors"]]
        assert listed == [int(code) for code in row.errors]


def test_every_error_code_is_described():
    assert set(ERRORS) == set(ErrorCode)
    assert {each["code"]: each["message"] for each in DOCUMENT["x-errors"]} == {
        int(code): text for code, text in ERRORS.items()
    }


def test_there_is_a_notification_for_each_row_of_the_contract():
    assert list(CONTRACT.notifications) == list(NOTIFICATIONS.values())


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.__name__)
def test_every_field_of_every_shape_has_its_sentence(shape):
    assert (shape.__doc__ or "").strip()
    if shape.__module__ == "sidecar.core.contract.messages":
        for each in fields_of(shape):
            assert each.doc.endswith((".", "?")), f"{shape.__name__}.{each.name}"


def test_every_shape_of_a_result_or_notification_is_in_the_document_field_by_field():
    schemas = DOCUMENT["components"]["schemas"]
    params = {row.params for row in METHODS.values()}
    for shape in shapes():
        if shape in params:
            continue
        schema = schemas[shape.__name__]
        wanted = {each.wire_name: not each.optional for each in fields_of(shape)}
        assert list(schema["properties"]) == list(wanted)
        must = [name for name, always in wanted.items() if always]
        assert schema["required"] == must, shape.__name__


@pytest.mark.parametrize("method", METHODS)
def test_every_param_of_a_method_is_in_the_document(method):
    listed = {each["name"]: each["required"] for each in CONTRACT.methods[method]["params"]}
    assert listed == {each.wire_name: each.required for each in fields_of(METHODS[method].params)}


def accepted_by_the_parser(method: str, params: dict[str, object]) -> bool:
    try:
        parse(METHODS[method].params, params)
    except InvalidParams:
        return False
    return True


@pytest.mark.parametrize(
    ("method", "member"),
    [(name, each.wire_name) for name, row in METHODS.items() for each in fields_of(row.params)],
)
def test_the_parser_takes_of_a_member_exactly_what_the_document_says(method, member):
    """Both ways: a client that is made from the document is never refused, nor a wrong one kept."""
    base = VALID.get(method, {})
    nested = [{"name": "n", "version": "1"}, {"name": "n"}, {"name": 1, "version": "1"}]
    named = ["system-resume", "network-online", "2026-01-31T12:00:00.000Z"]
    for value in SAMPLES + nested + named:
        params = {**base, member: value}
        documented = CONTRACT.problems_of_params(method, params)
        assert accepted_by_the_parser(method, params) == (documented == []), (value, documented)
    without = {name: value for name, value in base.items() if name != member}
    documented = CONTRACT.problems_of_params(method, without)
    assert accepted_by_the_parser(method, without) == (documented == [])


def test_the_parser_takes_null_exactly_where_the_document_says():
    for name, row in METHODS.items():
        for each in fields_of(row.params):
            params = {**VALID.get(name, {}), each.wire_name: None}
            documented = CONTRACT.problems_of_params(name, params) == []
            assert accepted_by_the_parser(name, params) == documented, f"{name}: {params}"


@pytest.mark.parametrize(
    "notice",
    [
        notices.created("anna", 1),
        notices.updated("anna", 2, "name", "messageCount"),
        notices.closed("anna", 3),
        notices.state_changed(4),
    ],
    ids=lambda notice: NOTIFICATIONS[type(notice)],
)
def test_a_notification_is_as_documented(notice):
    method = NOTIFICATIONS[type(notice)]
    assert CONTRACT.problems_of_notification(method, written(notice)) == []


def test_our_reader_of_the_contract_sees_what_is_wrong():
    """A guard of the tests that use it: unknown members, null for what is never null, bad times."""
    good = written(notices.created("anna", 1))
    for wrong in (
        {**good, "colour": 1},
        {**good, "seq": None},
        {**good, "session": {**good["session"], "startTime": "2026-01-31T12:00:00Z"}},
        {**good, "session": {**good["session"], "endTime": None}},
        {**good, "session": {**good["session"], "connectionState": "gone"}},
        {name: value for name, value in good.items() if name != "epoch"},
    ):
        assert CONTRACT.problems_of_notification("session-created", wrong) != []
