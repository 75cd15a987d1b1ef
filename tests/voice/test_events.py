"""The limits of a plug-in's events."""

from __future__ import annotations

import pytest

from sidecar.voice.events import Events


@pytest.mark.parametrize("name", ["x", "x" * 256, "é" * 128])
def test_an_event_s_name_has_up_to_256_bytes(name: str) -> None:
    told: list[object] = []
    Events("s", "epoch", told.append).emit(name, None)
    assert len(told) == 1


@pytest.mark.parametrize("name", ["", "x" * 257, "é" * 129, 7])
def test_another_name_is_refused_and_takes_no_number(name: str) -> None:
    told: list[object] = []
    events = Events("s", "epoch", told.append)
    with pytest.raises(ValueError, match="1 to 256 bytes"):
        events.emit(name, None)
    events.emit("fine", None)
    assert [getattr(each, "number", None) for each in told] == [1]
