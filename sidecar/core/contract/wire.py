"""Owns how dataclasses look in JSON: names, shapes and times; and the checks of what comes in.

Python has `snake_case`, JSON has `camelCase`. Does not know any message, nor how JSON is written.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Literal, NewType, TypeVar, Union, get_args, get_origin

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.values import dataclass

T = TypeVar("T")

IsoTime = NewType("IsoTime", str)
"""ISO-8601, UTC, milliseconds, `Z`: `2026-01-31T12:00:00.000Z`."""
Json = NewType("Json", object)
"""Any JSON value: the sender chooses its shape."""
MAX_JSON_BYTES = 64 * 1024
"""The largest JSON value in a member that a plug-in or the client shapes."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@functools.lru_cache(maxsize=16)  # sessions that close together end at the same moment
def iso_time(wall_ms: int) -> IsoTime:
    """Format milliseconds since 1970 as `2026-01-31T12:00:00.000Z`."""
    moment = _EPOCH + timedelta(milliseconds=wall_ms)
    return IsoTime(moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def wall_ms(time: str) -> int:
    """Parse an ISO-8601 time into milliseconds since 1970.

    Raises:
        ValueError: *time* is not an ISO-8601 time, or has no zone.
    """
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class EncodedJson:
    """A JSON value as text: later changes of the value do not change it."""

    __slots__ = ("text",)

    def __init__(self, value: object, max_bytes: int) -> None:
        """Encode *value*.

        Raises:
            ValueError: JSON cannot express *value*, or it takes over *max_bytes* of UTF-8.
        """
        try:
            written = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
            self.text = written.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"JSON cannot express this value: {error}") from None
        if len(self.text) > max_bytes:
            raise ValueError(f"{len(self.text)} bytes of JSON are over the {max_bytes} allowed")

    def __eq__(self, other: object) -> bool:
        """Compare the texts."""
        return isinstance(other, EncodedJson) and self.text == other.text

    def __hash__(self) -> int:
        """Hash the text."""
        return hash(self.text)

    @property
    def value(self) -> object:
        """Return a copy of the value."""
        return json.loads(self.text)


class KeepsJson:
    """A value that never changes, so that the writer of JSON may keep its JSON with it."""

    __slots__ = ("kept_json",)
    kept_json: bytes
    """Not set before the value is first written."""


@dataclass(frozen=True, slots=True)
class WireField:
    """One member of a JSON object."""

    name: str
    """The name in Python."""
    wire_name: str
    """The name on the wire."""
    type: object
    """The type, without the `None` of an optional member."""
    doc: str
    optional: bool
    """If None, the member is absent; never null."""
    nullable: bool
    """If None, the member is null; never absent."""
    required: bool
    """Whether a sender must pass the member."""
    max_items: int | None
    """How many items a sender may pass in an array."""


def member(
    doc: str, *, optional: bool = False, secret: bool = False, max_items: int | None = None
) -> typing.Any:
    """Declare a dataclass field, with its sentence for the contract.

    *optional*: absent on the wire when None. *secret*: not in the repr. *max_items*: the limit of
    an array that comes in. (Any, as `field()` has it.)
    """
    metadata = {"doc": doc, "optional": optional, "max_items": max_items}
    if optional:
        return dataclasses.field(default=None, repr=not secret, metadata=metadata)
    return dataclasses.field(repr=not secret, metadata=metadata)


@functools.cache
def wire_name(name: str) -> str:
    """Convert `session_id` to `sessionId`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@functools.cache
def fields_of(cls: type) -> tuple[WireField, ...]:
    """Return the members of *cls*'s JSON object, in order.

    Raises:
        TypeError: *cls* is no dataclass.
    """
    return tuple(_read_fields(cls))


@functools.cache
def _by_wire_name(cls: type) -> dict[str, WireField]:
    return {each.wire_name: each for each in fields_of(cls)}


def _read_fields(cls: type) -> Iterator[WireField]:
    fields = dataclasses.fields(cls)
    hints = typing.get_type_hints(cls)
    for each in fields:
        inner, has_none = _without_none(hints[each.name])
        optional = bool(each.metadata.get("optional"))
        has_default = each.default is not dataclasses.MISSING or (
            each.default_factory is not dataclasses.MISSING
        )
        yield WireField(
            name=each.name,
            wire_name=wire_name(each.name),
            type=inner,
            doc=each.metadata.get("doc", ""),
            optional=optional,
            nullable=has_none and not optional,
            required=not (optional or has_default),
            max_items=each.metadata.get("max_items"),
        )


def parse(cls: type[T], value: object, *, ignore_unknown: bool = False, where: str = "params") -> T:
    """Convert decoded JSON to a *cls*.

    Raises:
        InvalidParams: a member is missing, unknown or of another type; the message names it.
    """
    if not isinstance(value, Mapping):
        raise _refusal(where, "must be an object with named members")
    known = _by_wire_name(cls)  # type: ignore[arg-type]  # mypy: a type[T] may not be Hashable
    if not ignore_unknown:
        for key in value:
            if key not in known:
                listed = ", ".join(known) or "no members at all"
                raise _refusal(where, f"has an unknown member {_quoted(key)}; it takes {listed}")
    parsed: dict[str, object] = {}
    for each in known.values():
        if each.wire_name not in value:
            if each.required:
                raise _refusal(where, f"lacks the member {each.wire_name}")
            continue
        inner = value[each.wire_name]
        if inner is None and (each.nullable or each.optional):
            parsed[each.name] = None
            continue
        there = f"{where}.{each.wire_name}"
        if each.max_items is not None and isinstance(inner, list) and len(inner) > each.max_items:
            raise _refusal(there, f"has {len(inner)} items, and {each.max_items} are allowed")
        parsed[each.name] = _parse_value(each.type, inner, there, ignore_unknown)
    return cls(**parsed)


def _parse_value(kind: object, value: object, where: str, ignore_unknown: bool) -> object:
    origin = get_origin(kind)
    if origin is Literal:
        if value not in get_args(kind) or isinstance(value, bool):
            raise _refusal(where, f"must be {' or '.join(repr(each) for each in get_args(kind))}")
        return value
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = {each.value: each for each in kind}
        if not isinstance(value, str) or value not in known:
            raise _refusal(where, f"must be {' or '.join(map(repr, known))}")
        return known[value]
    if origin is tuple:
        if not isinstance(value, list):
            raise _refusal(where, "must be an array")
        (item, _) = get_args(kind)
        return tuple(
            _parse_value(item, each, f"{where}[{index}]", ignore_unknown)
            for index, each in enumerate(value)
        )
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
            raise _refusal(where, "must be an object of strings")
        return dict(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return parse(kind, value, ignore_unknown=ignore_unknown, where=where)
    if kind is Json:
        return value
    if kind is EncodedJson:
        return EncodedJson(value, MAX_JSON_BYTES)
    plain = getattr(kind, "__supertype__", kind)
    expected = _PLAIN.get(plain) if isinstance(plain, type) else None
    if expected is None:
        raise TypeError(f"{kind!r} has no JSON form here")
    accepted, words = expected
    if not isinstance(value, accepted) or (isinstance(value, bool) and plain is not bool):
        raise _refusal(where, f"must be {words}")
    return value


_PLAIN: dict[type, tuple[type | tuple[type, ...], str]] = {
    str: (str, "a string"),
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
}


def _without_none(kind: object) -> tuple[object, bool]:
    if get_origin(kind) in (Union, types.UnionType):
        rest = [each for each in get_args(kind) if each is not type(None)]
        if len(rest) == 1 and len(get_args(kind)) == 2:
            return rest[0], True
    return kind, False


def _quoted(key: object) -> str:
    text = str(key)
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _refusal(where: str, problem: str) -> InvalidParams:
    return InvalidParams(
        f"Invalid params: {where} {problem}.",
        f"Correct {where}; rpc.discover describes every method.",
    )
