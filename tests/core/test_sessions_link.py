"""The row `link_lost`, and `snapshot` after it: holds that stand still, outages."""

from __future__ import annotations

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.facts import DisconnectReason, ParticipantState
from tests.core.played import Registry, joining, played, someone

ALICE = someone("alice")
BOB = someone("bob")


def test_everyone_is_reconnecting_while_the_link_is_shaky_and_connected_after():
    # SIGNAL_RECONNECT of livekit-behaviour 12: participants untouched.
    assert played(
        (0, "snapshot", [ALICE, joining("bob")]),
        (10, "link_lost", 0),
        (14, "snapshot", [ALICE, joining("bob")]),
        (33,),
    )[3:] == [
        "10 updated PA_alice connectionState=reconnecting",
        "10 updated PA_bob connectionState=reconnecting",
        "14 updated PA_alice connectionState=connected",
        "14 updated PA_bob connectionState=connecting",
    ]


def test_our_own_full_reconnect_closes_nobody():
    # FULL_RECONNECT of livekit-behaviour 12: the leaves come before `reconnecting`.
    assert played(
        (0, "snapshot", [ALICE, BOB]),
        (10, "left", "PA_alice", None),
        (10, "left", "PA_bob", None),
        (10, "link_lost", 0),
        (10.7, "seen", joining("alice")),
        (10.7, "seen", ALICE),
        (10.8, "seen", BOB),
        (10.9, "snapshot", [ALICE, BOB]),
        (90,),
    )[4:] == [
        "10 updated PA_alice connectionState=reconnecting",
        "10 updated PA_bob connectionState=reconnecting",
        "10.9 updated PA_alice connectionState=connected",
        "10.9 updated PA_bob connectionState=connected",
    ]


def test_a_refused_resume_closes_nobody():
    # The leaves come while the SDK is reconnecting, long before the snapshot.
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "link_lost", 0),
        (11, "left", "PA_alice", None),
        (30, "seen", ALICE),
        (31, "snapshot", [ALICE]),
        (90,),
    )[2:] == [
        "10 updated PA_alice connectionState=reconnecting",
        "31 updated PA_alice connectionState=connected",
    ]


def test_a_hold_stands_still_while_the_link_is_shaky_and_ends_with_the_snapshot():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "left", "PA_alice", None),
        (11.5, "link_lost", 0),
        (40, "snapshot", [ALICE]),
        (90,),
    )[2:] == [
        "11.5 updated PA_alice connectionState=reconnecting",
        "40 updated PA_alice connectionState=connected",
    ]


def test_one_missing_from_the_snapshot_closes_left_during_reconnect_after_three_seconds():
    lines = played(
        (0, "snapshot", [ALICE, BOB]),
        (10, "link_lost", 0),
        (20, "snapshot", [BOB]),
        (22.9,),
        (90,),
    )
    assert sorted(lines[6:]) == [
        "20 updated PA_alice connectionState=connected",
        "20 updated PA_bob connectionState=connected",
        "23 closed PA_alice left-during-reconnect",
    ]


def test_one_who_is_in_the_snapshot_as_disconnected_is_missing_from_it():
    gone = someone("alice", state=ParticipantState.DISCONNECTED)
    assert played((0, "snapshot", [ALICE]), (10, "link_lost", 0), (20, "snapshot", [gone]), (90,))[
        4:
    ] == ["23 closed PA_alice left-during-reconnect"]


def test_one_missing_from_the_snapshot_and_announced_within_three_seconds_stays():
    # The server announces in batches, every 3 s.
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "link_lost", 0),
        (20, "snapshot", []),
        (22.9, "seen", ALICE),
        (90,),
    )[3:] == ["20 updated PA_alice connectionState=connected"]


def test_a_leave_with_a_reason_after_the_snapshot_closes_by_the_table():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "link_lost", 0),
        (20, "snapshot", []),
        (21, "left", "PA_alice", 1),
        (90,),
    )[4:] == ["21 closed PA_alice left CLIENT_INITIATED"]


def test_a_snapshot_s_hold_stands_still_in_the_next_outage():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "link_lost", 0),
        (20, "snapshot", []),
        (22, "link_lost", 0),
        (60, "snapshot", []),
        (62.9,),
        (90,),
    )[4:] == [
        "22 updated PA_alice connectionState=reconnecting",
        "60 updated PA_alice connectionState=connected",
        "63 closed PA_alice left-during-reconnect",
    ]


def test_a_leave_held_before_the_outage_and_absent_after_it_closes_left_during_reconnect():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "left", "PA_alice", None),
        (11, "link_lost", 0),
        (20, "snapshot", []),
        (90,),
    )[4:] == ["23 closed PA_alice left-during-reconnect"]


def test_a_leave_with_a_reason_closes_even_while_the_link_is_shaky():
    assert played(
        (0, "snapshot", [ALICE]), (10, "link_lost", 0), (11, "left", "PA_alice", 14), (90,)
    )[3:] == ["11 closed PA_alice connection-lost CONNECTION_TIMEOUT"]


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ((("link_lost", 0),), "connection-lost"),
        ((("link_lost", 1),), "connection-lost CLIENT_INITIATED"),
        ((("link_lost", 14),), "connection-lost CONNECTION_TIMEOUT"),
        ((("link_lost", 99),), "connection-lost REASON_99"),
        ((("link_lost", 3),), "server-shutdown SERVER_SHUTDOWN"),
        ((("link_lost", 3), ("link_lost", 0)), "server-shutdown SERVER_SHUTDOWN"),
        ((("link_lost", 0), ("link_lost", 3)), "connection-lost"),
    ],
    ids=lambda each: each if isinstance(each, str) else ",".join(str(one) for one in each),
)
def test_an_outage_of_45_s_closes_everyone_by_how_it_began_in_livekit_s_own_words(
    lost: tuple[tuple[object, ...], ...], expected: str
):
    lines = played((0, "snapshot", [ALICE, BOB]), *((10, *each) for each in lost), (54.9,), (99,))
    assert lines[-2:] == [f"55 closed PA_alice {expected}", f"55 closed PA_bob {expected}"]
    assert len(lines) == 4 + 2 + 2


def test_the_outage_counts_from_the_first_loss_not_from_the_last():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "link_lost", 0),
        (40, "link_lost", 0),
        (50, "link_lost", 0),
        (99,),
    )[3:] == ["55 closed PA_alice connection-lost"]


def test_a_second_outage_has_45_s_of_its_own():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "link_lost", 0),
        (50, "snapshot", [ALICE]),
        (60, "link_lost", 0),
        (104.9,),
        (200,),
    )[4:] == [
        "60 updated PA_alice connectionState=reconnecting",
        "105 closed PA_alice connection-lost",
    ]


def test_a_later_outage_does_not_inherit_how_an_earlier_one_began():
    assert (
        played(
            (0, "snapshot", [ALICE]),
            (10, "link_lost", 3),
            (20, "snapshot", [ALICE]),
            (30, "link_lost", 0),
            (99,),
        )[-1]
        == "75 closed PA_alice connection-lost"
    )


def test_one_who_appears_during_an_outage_is_closed_with_the_others():
    assert played((0, "snapshot", [ALICE]), (10, "link_lost", 0), (40, "seen", BOB), (99,))[
        -2:
    ] == [
        "55 closed PA_alice connection-lost",
        "55 closed PA_bob connection-lost",
    ]


def test_a_stay_closed_by_an_outage_that_goes_on_after_it_has_a_new_id():
    registry = Registry().joined(ALICE)
    first_id = registry.id_of("PA_alice")
    registry.at(10, "link_lost", 0)
    registry.at(60)
    assert registry.at(61, "snapshot", [ALICE])[0] == "61 created PA_alice connecting"
    assert registry.id_of("PA_alice") != first_id


def test_an_outage_s_reason_is_its_own_and_not_that_of_an_earlier_one():
    registry = Registry().joined(ALICE)
    registry.at(10, "link_lost", int(DisconnectReason.SERVER_SHUTDOWN))
    registry.at(11, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    registry.at(20, "seen", BOB)
    assert registry.at(99)[-1] == "65 closed PA_bob connection-lost"


def test_a_long_outage_of_a_held_leave_closes_it_with_the_outage():
    assert played(
        (0, "snapshot", [ALICE]), (10, "left", "PA_alice", None), (11, "link_lost", 0), (99,)
    )[3:] == ["56 closed PA_alice connection-lost"]


def test_losing_the_link_twice_is_told_once():
    assert (
        played(
            (0, "snapshot", [ALICE]),
            (10, "link_lost", 0),
            (11, "link_lost", 0),
            (12, "link_lost", 0),
        )[3:]
        == []
    )


def test_a_link_lost_with_nobody_there_closes_nobody_who_comes_later():
    assert played((0, "snapshot", []), (10, "link_lost", 0), (54, "snapshot", [ALICE]), (500,)) == [
        "54 created PA_alice connecting",
        "54 updated PA_alice connectionState=connected",
    ]


@pytest.mark.parametrize("loss", [("link_lost", 0), ("link_lost", 3)])
def test_nothing_is_pending_in_an_outage_without_sessions(loss: tuple[object, ...]):
    registry = Registry().joined(ALICE)
    registry.at(5, "left", "PA_alice", int(DisconnectReason.CLIENT_INITIATED))
    registry.at(10, *loss)  # type: ignore[arg-type]
    assert registry.sessions.deadline() is None


def test_nothing_is_pending_while_everyone_is_active_and_the_link_is_up():
    registry = Registry().joined(ALICE, BOB)
    assert registry.sessions.deadline() is None


def test_a_restarted_server_leaves_the_old_stays_left_during_reconnect():
    # livekit-behaviour 12, row 5: all leave without a reason, and come back under new sids.
    assert played(
        (0, "snapshot", [ALICE, BOB]),
        (10, "link_lost", 0),
        (10.3, "left", "PA_alice", None),
        (10.3, "left", "PA_bob", None),
        (11.5, "seen", joining("alice", "PA_2")),
        (12, "snapshot", [someone("alice", "PA_2")]),
        (90,),
    )[6:] == [
        "11.5 closed PA_alice replaced",
        "11.5 created PA_2 connecting",
        "11.5 updated PA_2 connectionState=reconnecting",
        "12 updated PA_2 connectionState=connected",
        "12 updated PA_bob connectionState=connected",
        "15 closed PA_bob left-during-reconnect",
    ]
