"""The way between a dataclass and its JSON: names, optional members, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.contract import messages
from sidecar.core.contract.errors import ErrorCode, InvalidParams
from sidecar.core.contract.messages import (
    AgentStateChanged,
    Capabilities,
    ConnectParams,
    Health,
    InitializeParams,
    SessionEvent,
    SessionParams,
)
from sidecar.core.contract.protocol import METHODS, NOTIFICATIONS
from sidecar.core.contract.wire import IsoTime, fields_of, member, parse, wire_name
from tests.written import written


@dataclass(frozen=True, slots=True)
class Inner:
    """A part of `Whole`."""

    some_text: str = member("Text.")


class Colour(StrEnum):
    """A choice with names of its own."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Whole:
    """One of every kind of member."""

    a_text: str = member("Text.")
    a_number: int = member("A whole number.")
    a_ratio: float = member("A number.")
    is_so: bool = member("Yes or no.")
    a_time: IsoTime = member("A time.")
    one_of: Literal["red", "blue"] = member("A choice.")
    a_colour: Colour = member("A choice.")
    some_texts: tuple[str, ...] = member("Texts.")
    some_parts: tuple[Inner, ...] = member("Parts.")
    by_name: Mapping[str, str] = member("Texts by name.")
    a_part: Inner = member("A part.")
    may_be_null: str | None = member("Null or text.")
    may_lack: int | None = member("A number, or nothing at all.", optional=True)


WHOLE: dict[str, object] = {
    "aText": "ä 🎤",
    "aNumber": -3,
    "aRatio": 0.5,
    "isSo": False,
    "aTime": "2026-01-01T00:00:00.000Z",
    "oneOf": "red",
    "aColour": "blue",
    "someTexts": ["a", "b"],
    "someParts": [{"someText": "x"}],
    "byName": {"k": "v"},
    "aPart": {"someText": "y"},
    "mayBeNull": None,
    "mayLack": 7,
}


def test_a_whole_object_comes_back_as_it_went():
    parsed = parse(Whole, WHOLE)
    assert written(parsed) == WHOLE
    assert (parsed.some_texts, parsed.some_parts) == (("a", "b"), (Inner("x"),))
    assert parsed.a_colour is Colour.BLUE


def test_an_optional_member_is_left_out_and_a_nullable_one_is_null():
    without = {name: value for name, value in WHOLE.items() if name != "mayLack"}
    shown = written(parse(Whole, without))
    assert "mayLack" not in shown
    assert shown["mayBeNull"] is None


@pytest.mark.parametrize("name", ["mayLack", "mayBeNull"])
def test_null_stands_for_nothing_where_nothing_is_allowed(name: str):
    shown = written(parse(Whole, {**WHOLE, name: None}))
    assert shown.get(name) is None


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "mayLack"])
def test_a_missing_member_is_refused_by_name(name: str):
    without = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(InvalidParams, match=name) as refusal:
        parse(Whole, without)
    assert refusal.value.code is ErrorCode.INVALID_PARAMS


NOT_TEXT: list[object] = [1, True, None, [], {}, 0.5]
WRONG: dict[str, list[object]] = {
    "aText": NOT_TEXT,
    "aNumber": ["1", True, False, None, 1.0, 1.5, [], {}],
    "aRatio": ["1", True, None, [], {}],
    "isSo": [0, 1, "true", None, []],
    "aTime": [1, None],
    "oneOf": ["green", "", None, 1, True, [], {}, ["red"], "Red"],
    "aColour": ["green", "", None, 1, True, [], {}, ["red"], "Red", "RED"],
    "someTexts": ["ab", None, {}, [1], [None], [["a"]], {"0": "a"}],
    "someParts": [{}, [{}], ["x"], [None], [{"someText": 1}], [{"someText": "x", "more": 1}]],
    "byName": [[], "ab", None, {"k": 1}, {"k": None}, {"k": {}}],
    "aPart": [None, [], "x", {}, {"sometext": "x"}, {"someText": "x", "more": "y"}],
    "mayBeNull": [1, True, []],
    "mayLack": ["1", True, 1.5],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_member_of_another_type_is_refused_by_name(name: str, value: object):
    with pytest.raises(InvalidParams, match=name):
        parse(Whole, {**WHOLE, name: value})


@pytest.mark.parametrize("value", [None, [], "text", 1, True, [WHOLE]], ids=str)
def test_what_is_no_object_is_refused(value: object):
    with pytest.raises(InvalidParams):
        parse(Whole, value)


@pytest.mark.parametrize(
    "name", ["a_text", "atext", "ATEXT", "", "__class__", "x" * 10_000, "\x00"]
)
def test_an_unknown_member_is_refused_and_may_be_ignored(name: str):
    with pytest.raises(InvalidParams) as refusal:
        parse(Whole, {**WHOLE, name: 1})
    assert len(refusal.value.message) < 500
    assert parse(Whole, {**WHOLE, name: 1}, ignore_unknown=True) == parse(Whole, WHOLE)


def test_an_unknown_member_of_a_part_is_ignored_only_with_those_of_the_whole():
    part = {"someText": "y", "more": 1}
    with pytest.raises(InvalidParams):
        parse(Whole, {**WHOLE, "aPart": part})
    known = {"someText": "y"}
    assert parse(Whole, {**WHOLE, "aPart": part}, ignore_unknown=True) == parse(
        Whole, {**WHOLE, "aPart": known}
    )


@pytest.mark.parametrize("name", [each for each in WHOLE if each not in ("aText", "aTime")])
def test_a_refusal_never_repeats_a_value(name: str):
    value = ["sesame"] if name == "mayBeNull" else "sesame"
    with pytest.raises(InvalidParams) as refusal:
        parse(Whole, {**WHOLE, name: value})
    assert "sesame" not in refusal.value.message + str(refusal.value.data)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*WHOLE, "someText"]), inner, max_size=12)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_parsed_or_refused(value: object):
    try:
        parsed = parse(Whole, value)
    except InvalidParams:
        return
    assert parse(Whole, written(parsed)) == parsed


def test_true_is_not_the_number_one():
    @dataclass(frozen=True, slots=True)
    class Versioned:
        """Takes one number alone."""

        version: Literal[1] = member("The version.")

    assert parse(Versioned, {"version": 1}) == Versioned(1)
    with pytest.raises(InvalidParams):
        parse(Versioned, {"version": True})


def test_names_on_the_wire_are_camel_case():
    assert [wire_name(each) for each in ("url", "session_id", "can_publish_data")] == [
        "url",
        "sessionId",
        "canPublishData",
    ]


def test_a_type_without_a_json_form_is_a_bug_that_shows():
    @dataclass(frozen=True, slots=True)
    class Odd:
        """Holds what JSON cannot say."""

        an_id: complex = member("A complex number.")

    with pytest.raises(TypeError):
        parse(Odd, {"anId": 1})


# What the contract's own shapes promise

SHAPES = [
    each
    for each in vars(messages).values()
    if isinstance(each, type) and is_dataclass(each) and each.__module__ == messages.__name__
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_member_of_the_contract_has_its_sentence(shape: type):
    for each in fields_of(shape):
        assert each.doc.strip().endswith((".", "!", "?")), each.name
        assert "_" not in each.wire_name


@pytest.mark.parametrize(
    "shape",
    dict.fromkeys(each.params for each in METHODS.values()),
    ids=lambda shape: shape.__name__,
)
def test_the_params_of_every_method_can_be_parsed(shape: type):
    with pytest.raises(InvalidParams):
        parse(shape, {"noSuchMember": 1})


NUMBERED = sorted(set(NOTIFICATIONS) - {Health, SessionEvent}, key=str)
"""The notifications that change something."""


@pytest.mark.parametrize("shape", NUMBERED, ids=lambda shape: shape.__name__)
def test_every_notification_has_seq_and_epoch(shape: type):
    assert {"seq", "epoch"} <= {each.wire_name for each in fields_of(shape) if each.required}


def test_connect_takes_no_params_at_all():
    assert parse(ConnectParams, {}) == ConnectParams()


def test_connect_params_never_show_their_secrets():
    params = parse(ConnectParams, {"apiSecret": "sesame", "token": "open-up"})
    assert "sesame" not in repr(params)
    assert "open-up" not in repr(params)


def test_a_session_id_is_text():
    with pytest.raises(InvalidParams):
        parse(SessionParams, {"sessionId": 5})


def test_initialize_ignores_what_it_does_not_know():
    method = METHODS["initialize"]
    params = parse(
        InitializeParams,
        {"protocolVersion": 1, "later": {"a": 1}},
        ignore_unknown=method.ignore_unknown,
    )
    assert params.protocol_version == 1


def test_only_initialize_ignores_what_it_does_not_know():
    assert [each.name for each in METHODS.values() if each.ignore_unknown] == ["initialize"]


def test_a_state_change_leaves_out_what_there_is_not():
    change = AgentStateChanged(
        state=messages.AgentState.IDLE,
        previous_state=messages.AgentState.BACKOFF,
        capabilities=Capabilities(create_connection=False, close_session=False, reconcile=True),
        seq=1,
        epoch="e",
    )
    assert written(change) == {
        "state": "idle",
        "previousState": "backoff",
        "capabilities": {"createConnection": False, "closeSession": False, "reconcile": True},
        "seq": 1,
        "epoch": "e",
    }
