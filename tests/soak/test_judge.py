"""The soak's judge sees what is wrong, and takes what is right for right."""

from __future__ import annotations

from tests.soak.ledger import EndKind
from tests.soak.told import EPOCH, Told


def test_a_stay_with_one_created_and_one_closed_is_well() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.left(20.0, "PA_1")
    told.closed(21.0, "PA_1", detail="CLIENT_INITIATED")
    assert told.verdict() == []


def test_a_stay_of_over_3_seconds_without_a_session_is_missed() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.left(13.2, "PA_1")
    assert told.verdict() == ["missed"]


def test_a_sid_that_the_humans_sdk_took_back_was_no_stay() -> None:
    told = Told()
    told.fault("server killed", 30.0, 31.0)
    told.joined(10.0, "PA_1")
    told.created(10.5, "PA_1")
    told.ledger.joined(12.0, "bob", "PA_other")
    told.ledger.joined(16.0, "bob", "PA_1")
    told.ledger.mistaken(16.0, "PA_other", "PA_1")
    told.left(20.0, "PA_1")
    told.closed(21.0, "PA_1", detail="CLIENT_INITIATED")
    assert told.verdict() == []


def test_a_sid_that_the_humans_sdk_gave_up_for_another_was_no_longer_a_stay() -> None:
    told = Told()
    told.fault("server killed", 30.0, 31.0)
    told.ledger.joined(20.0, "bob", "PA_brief")
    told.ledger.joined(20.2, "bob", "PA_1")
    told.ledger.moved(20.2, "PA_brief", "PA_1")
    told.joined(20.3, "PA_1")
    told.created(20.3, "PA_1")
    told.left(25.0, "PA_1")
    told.closed(25.1, "PA_1", detail="CLIENT_INITIATED")
    assert told.verdict() == []


def test_a_sid_that_the_humans_sdk_gave_up_and_took_back_went_on() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.ledger.joined(12.0, "bob", "PA_other")
    told.ledger.moved(12.0, "PA_1", "PA_other")
    told.ledger.joined(12.2, "bob", "PA_1")
    told.ledger.moved(12.2, "PA_other", "PA_1")
    told.ledger.mistaken(12.2, "PA_other", "PA_1")
    told.left(20.0, "PA_1")
    assert told.verdict() == ["missed"]


def test_a_message_counts_for_that_of_two_sessions_that_was_open_then() -> None:
    told = Told()
    told.fault("disconnect", 14.0, 15.0)
    told.created(11.0, "PA_1")
    told.closed(14.0, "PA_1", reason="agent-disconnected")
    told.created(16.0, "PA_1", name="again")
    told.joined(16.5, "PA_1")
    told.ledger.chatted(17.5, 17.6, "PA_1")
    told.left(20.0, "PA_1")
    told.closed(21.0, "PA_1", detail="CLIENT_INITIATED", name="again", messages=1)
    assert told.verdict() == []


def test_a_message_held_back_while_the_server_was_gone_counts_for_the_next_stay() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.fault("server killed", 20.0, 21.0)
    told.ledger.server_ended(20.0)
    told.ledger.chatted(20.5, 20.6, "PA_1")
    told.closed(25.0, "PA_1")
    told.joined(30.0, "PA_2")
    told.created(31.0, "PA_2")
    told.updated(32.0, "PA_2", messages=1)
    told.left(40.0, "PA_2")
    told.closed(41.0, "PA_2", detail="CLIENT_INITIATED", messages=1)
    assert told.verdict() == []


def test_the_server_knew_of_an_end_when_its_late_webhook_says_so() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.closed(21.0, "PA_1", detail="CLIENT_INITIATED")
    told.left(32.0, "PA_1", said_s=20.0)
    assert told.verdict() == []


def test_a_stay_that_had_a_session_before_the_server_ended_ended_with_it() -> None:
    told = Told()
    told.created(20.0, "PA_1")
    told.fault("server killed", 25.0, 27.0)
    told.ledger.server_ended(25.0)
    told.ledger.joined(28.0, "bob", "PA_1")
    told.closed(31.0, "PA_1")
    assert told.verdict() == []


def test_a_silent_stay_of_3_seconds_may_go_unseen() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.left(13.0, "PA_1")
    assert told.verdict() == []


def test_one_who_published_may_not_go_unseen() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.ledger.published(10.5, "PA_1")
    told.left(12.0, "PA_1")
    assert told.verdict() == ["missed"]


def test_a_stay_while_the_agent_was_deaf_may_go_unseen() -> None:
    told = Told()
    told.fault("link silent", 9.0, 15.0)
    told.joined(10.0, "PA_1")
    told.left(18.0, "PA_1")
    assert told.verdict() == []


def test_a_stay_in_another_life_of_the_room_may_go_unseen() -> None:
    told = Told()
    told.ledger.agent_rooms.append((1.0, "RM_new"))
    told.joined(10.0, "PA_1")
    told.ledger.stays["PA_1"].room_sid = "RM_old"
    told.left(20.0, "PA_1")
    assert told.verdict() == []


def test_two_sessions_of_one_sid_are_doubled() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1", name="a")
    told.left(20.0, "PA_1")
    told.closed(20.0, "PA_1", name="a")
    told.created(21.0, "PA_1", name="b")
    told.closed(22.0, "PA_1", name="b")
    assert told.verdict() == ["doubled"]


def test_a_session_that_closes_while_the_human_stays_is_a_fake_end() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.closed(15.0, "PA_1")
    told.left(20.0, "PA_1")
    assert told.verdict() == ["fake end"]


def test_after_45_seconds_away_a_session_may_close_and_another_begin() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1", name="a")
    told.agent(20.0, "connected", "reconnecting")
    told.closed(65.0, "PA_1", "connection-lost", name="a")
    told.agent(66.0, "reconnecting", "connected")
    told.created(66.0, "PA_1", name="b")
    told.left(80.0, "PA_1")
    told.closed(80.1, "PA_1", name="b")
    assert told.verdict() == []


def test_after_44_seconds_connected_nothing_may_close_as_lost() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.closed(60.0, "PA_1", "connection-lost")
    told.left(80.0, "PA_1")
    assert told.verdict() == ["fake end", "wrong reason"]


def test_on_request_a_session_may_close_while_the_human_stays() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1", name="a")
    told.fault("disconnect", 15.0, 16.0)
    told.agent(15.1, "connected", "idle")
    told.closed(15.2, "PA_1", "agent-disconnected", name="a")
    told.agent(16.0, "idle", "connected")
    told.created(16.1, "PA_1", name="b")
    told.left(20.0, "PA_1")
    told.closed(20.1, "PA_1", name="b")
    assert told.verdict() == []


def test_a_session_open_long_after_its_stay_is_a_ghost() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.left(20.0, "PA_1")
    told.closed(71.0, "PA_1")
    assert told.verdict() == ["ghost"]


def test_a_ghost_ages_only_while_the_agent_is_connected() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.agent(20.0, "connected", "reconnecting")
    told.left(21.0, "PA_1")
    told.agent(60.0, "reconnecting", "connected")
    told.closed(100.0, "PA_1")
    assert told.verdict() == []


def test_a_crash_of_the_server_ends_every_stay_of_its_time() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.ledger.server_ended(20.0)
    told.closed(80.0, "PA_1")
    assert told.verdict() == ["ghost"]


def test_the_reason_must_be_the_servers_where_the_agent_could_hear_it() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.left(20.0, "PA_1", "CONNECTION_TIMEOUT")
    told.closed(20.1, "PA_1", "left", "CLIENT_INITIATED")
    assert told.verdict() == ["wrong reason"]


def test_nobody_is_removed_whom_nobody_removed() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.ledger.deed(20.0, EndKind.KILL, "bob", "PA_1")
    told.closed(41.0, "PA_1", "removed")
    assert told.verdict() == ["wrong reason"]


def test_a_session_of_a_sid_that_nobody_knows_is_told() -> None:
    told = Told()
    told.created(11.0, "PA_1")
    told.closed(12.0, "PA_1")
    assert told.verdict() == ["unknown sid"]


def test_messages_are_counted() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.ledger.chatted(12.0, 12.1, "PA_1")
    told.left(20.0, "PA_1")
    told.closed(20.1, "PA_1")
    assert told.verdict() == ["miscounted"]


def test_a_close_before_its_created_and_a_gap_in_the_seq_are_out_of_order() -> None:
    told = Told()
    told.closed(12.0, "PA_1")
    told.heard.take(
        13.0,
        "agent-state-changed",
        {"state": "idle", "previousState": "connected", "seq": 9, "epoch": EPOCH},
    )
    assert told.verdict() == ["out of order", "out of order"]


def test_a_list_that_differs_from_the_fold_is_out_of_order() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.heard.compare(12.0, {"seq": told.heard.seq, "epoch": EPOCH, "sessions": []})
    told.left(20.0, "PA_1")
    told.closed(20.1, "PA_1")
    assert told.verdict() == ["out of order"]


def test_what_a_process_takes_over_must_be_what_was_open() -> None:
    told = Told()
    told.joined(10.0, "PA_1")
    told.created(11.0, "PA_1")
    told.heard.resumed(12.0, {"sessions": []})
    told.left(20.0, "PA_1")
    told.closed(20.1, "PA_1")
    assert told.verdict() == ["out of order"]
