"""Which ids were used and which sids are gone: bounded, and the youngest are kept."""

from __future__ import annotations

from sidecar.core.registry.stays import MAX_TOMBSTONES, MAX_USED_IDS, Recent, SessionIds


def test_an_id_is_of_the_stay_s_own_millisecond_and_after_that_of_the_first_free_one():
    ids = SessionIds()
    assert [ids.new("a", 5, 100) for _ in range(3)] == [
        "session_5_a",
        "session_100_a",
        "session_101_a",
    ]
    assert ids.new("b", 5, 100) == "session_5_b"


def test_an_id_that_came_from_elsewhere_is_used():
    ids = SessionIds()
    ids.add("session_5_a")
    assert ids.new("a", 5, 100) == "session_100_a"


def test_an_id_that_was_taken_again_is_as_young_as_a_new_one():
    ids = SessionIds()
    ids.add("session_0_a")
    for number in range(1, MAX_USED_IDS):
        ids.new("a", number, number)
    ids.add("session_0_a")
    for number in range(1, MAX_USED_IDS):
        ids.new("b", number, number)
    assert ids.new("a", 0, 7_000_000) == "session_7000000_a"


def test_a_tombstone_stands_for_4096_later_ones():
    tombstones = Recent(MAX_TOMBSTONES)
    tombstones.add("PA_first")
    for number in range(4_095):
        tombstones.add(f"PA_{number}")
    assert "PA_first" in tombstones
    tombstones.add("PA_last")
    assert "PA_first" not in tombstones
