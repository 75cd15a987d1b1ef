"""The write queue: in order, updates merged for a slow reader, nothing that counts ever lost."""

from __future__ import annotations

import threading

import pytest

from sidecar.core.contract.messages import SessionCreated, SessionUpdated
from sidecar.rpc.stdio import MAX_BYTES, MERGE_BYTES, WRITE_BYTES, Outbox
from tests.rpc.notices import closed, created, session, state_changed, updated

FULL_METADATA = "m" * 16_384
JUST_OVER_MERGE = MERGE_BYTES + 1


def too_much() -> None:
    """What an outbox calls that must not become full."""
    raise AssertionError("the outbox is full")


def rest_of(outbox: Outbox) -> list[object]:
    """Close the outbox and take all that is left."""
    outbox.close()
    taken = []
    while items := outbox.take():
        taken += items
    return taken


def test_what_is_put_comes_out_in_the_same_order_answers_and_notifications_alike():
    outbox = Outbox(too_much)
    items = [b"1", created("anna", 1), b"2", updated("anna", 2), updated("anna", 3), b"3"]
    items += [closed("anna", 4), state_changed(5), b"4"]
    for item in items:
        outbox.put(item)
    assert rest_of(outbox) == items


def test_nothing_is_merged_for_a_reader_that_keeps_up():
    outbox = Outbox(too_much)
    updates = [updated("anna", seq, count=seq) for seq in range(1, 1001)]
    for update in updates:
        outbox.put(update)
    assert rest_of(outbox) == updates


def test_over_8_mib_a_sessions_waiting_update_makes_place_for_its_newer_one():
    outbox = Outbox(too_much)
    outbox.put(b"x" * JUST_OVER_MERGE)
    outbox.put(updated("anna", 1, "connectionState"))
    outbox.put(updated("bob", 2))
    outbox.put(updated("anna", 3, "messageCount", count=7))
    outbox.put(updated("anna", 4, "messageCount", "name", count=8))
    assert rest_of(outbox)[1:] == [
        updated("bob", 2),
        updated("anna", 4, "connectionState", "messageCount", "name", count=8),
    ]


def test_the_seq_only_ever_rises_though_updates_were_merged():
    outbox = Outbox(too_much)
    outbox.put(b"x" * JUST_OVER_MERGE)
    for seq in range(1, 301):
        name = f"person{seq % 7}"
        outbox.put(created(name, seq) if seq <= 7 else updated(name, seq))
    seqs = [item.seq for item in rest_of(outbox)[1:]]
    assert seqs == sorted(seqs)
    assert len(seqs) == 7 + 7


def test_an_update_that_was_written_already_is_not_merged_into_the_next():
    outbox = Outbox(too_much)
    outbox.put(updated("anna", 1, "name"))
    assert outbox.take() == [updated("anna", 1, "name")]
    outbox.put(b"x" * JUST_OVER_MERGE)
    outbox.put(updated("anna", 2))
    assert rest_of(outbox)[1:] == [updated("anna", 2)]


def test_an_update_never_passes_the_created_or_the_closed_of_its_session():
    outbox = Outbox(too_much)
    outbox.put(b"x" * JUST_OVER_MERGE)
    outbox.put(created("anna", 1))
    for seq in (2, 3, 4):
        outbox.put(updated("anna", seq))
    outbox.put(closed("anna", 5))
    assert rest_of(outbox)[1:] == [created("anna", 1), updated("anna", 4), closed("anna", 5)]


def test_created_closed_and_state_changes_are_never_dropped():
    outbox = Outbox(too_much)
    outbox.put(b"x" * JUST_OVER_MERGE)
    kept = []
    for seq in range(1, 2000, 4):
        kept += [created("anna", seq), closed("anna", seq + 2), state_changed(seq + 3)]
        outbox.put(kept[-3])
        outbox.put(updated("anna", seq + 1))
        outbox.put(kept[-2])
        outbox.put(kept[-1])
    taken = rest_of(outbox)[1:]
    assert [item for item in taken if not isinstance(item, SessionUpdated)] == kept


def test_updates_of_a_room_alone_never_fill_the_queue():
    """However long nobody reads, the merge keeps what waits bounded by the sessions."""
    outbox = Outbox(too_much)
    for seq in range(1, 20_001):
        outbox.put(updated(f"person{seq % 100}", seq, metadata=FULL_METADATA))


def test_over_64_mib_the_reader_is_beyond_help_and_until_then_it_is_not():
    full: list[int] = []
    outbox = Outbox(lambda: full.append(put))
    quarter = b"x" * (MAX_BYTES // 4)
    put = 0
    while put < 5:
        put += 1
        outbox.put(quarter)
    assert full == [5]


def test_what_participants_chose_counts_for_the_bound():
    full: list[int] = []
    outbox = Outbox(lambda: full.append(number))
    for number in range(1, 10_001):
        outbox.put(SessionCreated(session(f"person{number}", metadata=FULL_METADATA), 1, "e"))
    assert full[0] <= MAX_BYTES // len(FULL_METADATA)


def test_what_was_taken_makes_place_again():
    full: list[bool] = []
    outbox = Outbox(lambda: full.append(True))
    half = b"x" * (MAX_BYTES // 2)
    for _ in range(10):
        outbox.put(half)
        assert outbox.take() == [half]
    outbox.put(half)
    outbox.put(half)
    assert full == []
    outbox.put(b"x")
    assert full == [True]


def test_take_gives_what_is_left_after_close_and_then_nothing():
    outbox = Outbox(too_much)
    outbox.put(b"1")
    outbox.put(b"2")
    outbox.close()
    assert [outbox.take() for _ in range(3)] == [[b"1", b"2"], [], []]


def test_take_gives_what_one_write_takes_and_more_only_of_one_item():
    outbox = Outbox(too_much)
    items = [b"x" * (WRITE_BYTES // 2), b"x" * (WRITE_BYTES // 2), b"x" * 3 * WRITE_BYTES, b"x"]
    for item in items:
        outbox.put(item)
    assert [outbox.take() for _ in range(3)] == [items[:2], items[2:3], items[3:]]


@pytest.mark.parametrize("wake", ["put", "close"])
def test_a_take_that_waits_is_woken(wake):
    outbox, taken = Outbox(too_much), []
    waiting = threading.Thread(target=lambda: taken.append(outbox.take()), daemon=True)
    waiting.start()
    if wake == "put":
        outbox.put(b"1")
    else:
        outbox.close()
    waiting.join(5)
    assert taken == [[b"1"] if wake == "put" else []]
