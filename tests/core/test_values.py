"""A class of `core/values.py` behaves as one of the standard library's `dataclass`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import field
from typing import Any

import pytest

from sidecar.core import values


def made(dataclass: Callable[..., Any]) -> type[Any]:
    """Return a class with each kind of field."""

    @dataclass(frozen=True, slots=True)
    class Stay:
        """A stay."""

        sid: str
        secret: str = field(repr=False)
        unhashed: list[int] = field(hash=False, default_factory=list)
        note: str | None = None

    return Stay


OURS, STANDARD = made(values.dataclass), made(dataclasses.dataclass)
BOTH = pytest.mark.parametrize("cls", [OURS, STANDARD], ids=["ours", "standard"])


@BOTH
def test_values_are_given_by_place_by_name_or_by_default(cls):
    one = cls("s", "x")
    assert (one.sid, one.secret, one.unhashed, one.note) == ("s", "x", [], None)
    assert one == cls(secret="x", sid="s") == cls("s", "x", [], None)  # noqa: S106 - no secret
    assert one.unhashed is not cls("s", "x").unhashed


@BOTH
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), {}),
        (("s",), {}),
        (("s", "x", [], None, 5), {}),
        (("s", "x"), {"other": 1}),
        (("s", "x"), {"sid": "t"}),
    ],
    ids=["none", "too few", "too many", "an unknown name", "one twice"],
)
def test_wrong_values_are_a_type_error(cls, given, named):
    with pytest.raises(TypeError):
        cls(*given, **named)


@BOTH
def test_objects_are_equal_if_class_and_values_are(cls):
    assert cls("s", "x") != cls("s", "y")
    assert cls("s", "x") != ("s", "x", [], None)
    assert cls("s", "x") != made(values.dataclass)("s", "x")
    assert hash(cls("s", "x", [1])) == hash(cls("s", "x", [2]))
    assert hash(cls("s", "x")) != hash(cls("s", "y"))


@BOTH
def test_objects_are_frozen_and_have_no_other_members(cls):
    one = cls("s", "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.sid = "t"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.sid
    assert not hasattr(one, "__dict__")


@BOTH
def test_the_standard_library_takes_the_objects_for_dataclasses(cls):
    one = dataclasses.replace(cls("s", "x"), note="n")
    assert one == cls("s", "x", [], "n")
    assert [each.name for each in dataclasses.fields(one)] == ["sid", "secret", "unhashed", "note"]
    assert repr(one) == "made.<locals>.Stay(sid='s', unhashed=[], note='n')"
    match one:
        case cls(sid, _, _, note):
            assert (sid, note) == ("s", "n")


def test_a_class_without_members_has_equal_objects():
    @values.dataclass(frozen=True, slots=True)
    class Empty:
        """Nothing."""

    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())
    assert repr(Empty()).endswith(".Empty()")


def test_other_kinds_of_dataclasses_are_refused():
    with pytest.raises(TypeError, match="standard library"):
        values.dataclass(frozen=False, slots=True)
