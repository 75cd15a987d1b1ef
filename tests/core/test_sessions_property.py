"""The registry under any order of facts, stale ones and duplicates included."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.facts import (
    PERSON_KINDS,
    Joined,
    Participant,
    ParticipantKind,
    ParticipantState,
)
from sidecar.core.registry.changes import Change, Closed, Created, Updated
from sidecar.core.registry.comparison import Poll
from sidecar.core.registry.resumption import Inheritance
from sidecar.core.registry.sessions import Sessions
from sidecar.core.registry.stays import UPDATES_PER_S
from tests.core.played import START_MS, earlier, listing, moment, someone
from tests.core.registry_model import (
    HOLD_S,
    NOTHING_CLOSES,
    OUTAGE_S,
    SNAPSHOT_HOLD_S,
    Model,
    Why,
)

IDENTITIES = ("alice", "bob", "cid")
SIDS = [f"PA_{identity}{number}" for identity in IDENTITIES for number in range(3)]
OWN = "clara"
ROOM = "den"
BY_ANOTHER_SID = (CloseReason.REPLACED, CloseReason.REMOVED)

sids = st.sampled_from(SIDS)
reasons = st.sampled_from([*range(18), 99])
people = st.builds(
    lambda sid, state, metadata, kind, joined: someone(
        sid[3:-1], sid, state, metadata=metadata, kind=kind, joined_at_ms=joined
    ),
    sids,
    st.sampled_from([ParticipantState.ACTIVE, *ParticipantState]),
    st.sampled_from(["", "m"]),
    st.sampled_from([*[ParticipantKind.STANDARD] * 6, *ParticipantKind]),
    # One joined_at for many stays: ids must differ all the same.
    st.sampled_from([START_MS, START_MS, START_MS + 1, START_MS + 10**9, None]),
)
crowds = st.lists(people, max_size=4)
pauses = st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.9, 2.0, 2.9, 3.0, 5.0, 10.0, 29.0, 44.0, 60.0])


class RegistryLaws(RuleBasedStateMachine):
    """Tells the registry facts, folds what it says, and compares with the oracle."""

    @initialize(
        start_s=st.sampled_from([0.0, 0.3, 100_000.1]),
        server_ahead_ms=st.sampled_from([None, 0, 60_000, -60_000]),
    )
    def begin(self, start_s: float, server_ahead_ms: int | None) -> None:
        self.registry = Sessions()
        self.model = Model(now_s=start_s, server_ahead_ms=server_ahead_ms or 0)
        self.says_its_time = server_ahead_ms is not None
        self.polls: list[tuple[Poll, int]] = []
        self.was_ever_open = False
        self.updates = 0
        """Announced updates since the last pause of a second."""

    # Facts

    @rule(
        crowd=crowds,
        room_name=st.sampled_from([ROOM, ROOM, "attic"]),
        outage_s=st.sampled_from([0.0, 0.0, 3.0, 44.0, 45.0]),
        is_clock_inherited=st.booleans(),
    )
    def resume(
        self,
        crowd: list[Participant],
        room_name: str,
        outage_s: float,
        is_clock_inherited: bool,
    ) -> None:
        sessions = tuple(
            earlier(each.identity, each.sid, room_name)
            for each in {each.identity: each for each in crowd}.values()
        )
        ahead_ms = self.model.server_ahead_ms if is_clock_inherited else None
        inherited = Inheritance(sessions, outage_s=outage_s, server_ahead_ms=ahead_ms)
        taken = self.registry.resume(inherited, moment(self.model.now_s))
        assert taken is (not self.was_ever_open and not self.model.is_up)
        self.model.is_clock_known |= taken and is_clock_inherited
        if taken and sessions:
            self.was_ever_open = True
            for session in self.registry.listed():
                self.model.adopted(session)
            self.model.goes_down()
            if outage_s:
                self.model.lost_s = self.model.now_s - outage_s

    @rule(crowd=crowds)
    def snapshot(self, crowd: list[Participant]) -> None:
        self.model.goes_up()
        self.model.is_clock_known = True
        server_ms = self.model.server_now_ms() if self.says_its_time else None
        joined = Joined(ROOM, OWN, tuple(crowd), server_ms)
        now = moment(self.model.now_s)
        self.registry.joined(joined, now)
        changes = self.registry.snapshot(crowd, now)
        # Sessions of another room close first: the same sid may open again, in this room.
        elsewhere = [sid for sid, each in self.model.shown.items() if each.room_name != ROOM]
        may_close = {sid: [(CloseReason.AGENT_DISCONNECTED, None)] for sid in elsewhere}
        self._take(changes[: len(elsewhere)], may_close=may_close)
        assert not self.model.open.keys() & set(elsewhere)
        present = {each.sid for each in crowd if each.state is not ParticipantState.DISCONNECTED}
        for sid, stay in self.model.open.items():
            if sid not in present:
                stay.hold = (self.model.linked_s(), SNAPSHOT_HOLD_S)
                stay.hold_reason = CloseReason.LEFT_DURING_RECONNECT
        self._take(changes[len(elsewhere) :], crowd, self.model.whys_replaced(crowd))

    @rule(person=people)
    def seen(self, person: Participant) -> None:
        may_close = self.model.whys_replaced([person])
        self._take(self.registry.seen(person, moment(self.model.now_s)), [person], may_close)

    @rule(sid=sids, reason=st.none() | reasons)
    def left(self, sid: str, reason: int | None) -> None:
        stay = self.model.open.get(sid)
        changes = self.registry.left(sid, reason, moment(self.model.now_s))
        if stay is None:
            assert changes == []
        elif not reason:
            assert changes == []
            if stay.hold is None:
                stay.hold, stay.hold_reason = (self.model.linked_s(), HOLD_S), CloseReason.LEFT
        else:
            assert [type(each) for each in changes] == [Closed]
            self.model.gone_for_good.add(sid)
            self._take(changes, may_close={sid: [self.model.why_left(sid, reason)]})

    @precondition(lambda self: self.model.open)
    @rule(data=st.data(), reason=st.none() | reasons)
    def one_who_is_there_leaves(self, data: st.DataObject, reason: int | None) -> None:
        self.left(data.draw(st.sampled_from(sorted(self.model.open))), reason)

    @precondition(lambda self: self.model.open)
    @rule(data=st.data())
    def one_who_is_there_is_seen(self, data: st.DataObject) -> None:
        sid = data.draw(st.sampled_from(sorted(self.model.open)))
        self.seen(someone(sid[3:-1], sid))

    @rule(reason=st.just(0) | reasons)
    def link_lost(self, reason: int) -> None:
        self.model.goes_down(reason)
        self._take(self.registry.link_lost(reason, moment(self.model.now_s)))

    @rule(identity=st.sampled_from([*IDENTITIES, OWN, ""]), ago_s=pauses)
    def text(self, identity: str, ago_s: float) -> None:
        before = sum(each.message_count for each in self.model.shown.values())
        now = moment(self.model.now_s)
        expected = self.model.texted(identity, self.model.now_s - ago_s)
        self._take(self.registry.text(identity, self.model.now_s - ago_s, now))
        after = sum(each.message_count for each in self.model.shown.values())
        assert after - before == expected

    @rule()
    def begin_poll(self) -> None:
        link = self.model.is_up * self.model.times_up
        self.polls.append((self.registry.comparison.begin(), link))

    @precondition(lambda self: self.polls)
    @rule(data=st.data(), crowd=crowds, is_listed=st.booleans())
    def polled(self, data: st.DataObject, crowd: list[Participant], is_listed: bool) -> None:
        poll, times_up = data.draw(st.sampled_from(self.polls))
        listed = listing(*crowd)[0 if is_listed else 1 :]
        before = dict(self.model.shown)
        changes = self.registry.comparison.polled(poll, listed, moment(self.model.now_s))
        listed_sids = {
            each.sid for each in listed if each.state is not ParticipantState.DISCONNECTED
        }
        if is_listed and self.model.is_up and times_up == self.model.times_up:
            for sid in poll.held & listed_sids & set(self.model.open):
                self.model.open[sid].hold = None
        identities = {each.identity for each in listed}
        for suspect in self.registry.comparison.suspects:
            assert suspect.participant_id not in identities
            is_there = data.draw(st.booleans())
            now = moment(self.model.now_s)
            word = self.registry.comparison.asked(poll, suspect.session_id, is_there, now)
            assert bool(word) is not is_there
            changes += word
        for change in changes:
            assert isinstance(change, Closed)
            assert self.model.is_up
            assert is_listed
            assert change.session.participant_sid in poll.sids & set(before)
            assert change.session.participant_sid not in listed_sids
        self._take(
            changes,
            may_close={
                sid: [stay.why(CloseReason.LEFT, "reconcile")]
                for sid, stay in self.model.open.items()
            },
        )

    @rule(sid=sids)
    def removing(self, sid: str) -> None:
        self.registry.removing(self._id_of(sid))
        if sid in self.model.open:
            self.model.open[sid].is_being_removed = True

    @rule(sid=sids)
    def removal_agreed(self, sid: str) -> None:
        assert self.registry.removal_agreed(self._id_of(sid), moment(self.model.now_s)) == []
        if sid in self.model.open:
            self.model.open[sid].removal_s = self.model.now_s

    @rule(sid=sids)
    def removal_failed(self, sid: str) -> None:
        self.registry.removal_failed(self._id_of(sid))
        if sid in self.model.open:
            self.model.open[sid].is_being_removed = False

    @rule(sid=sids, reason=st.sampled_from([CloseReason.LEFT, CloseReason.REPLACED]))
    def removal_moot(self, sid: str, reason: CloseReason) -> None:
        now = moment(self.model.now_s)
        changes = self.registry.removal_moot(self._id_of(sid), reason, now)
        self._take(changes, may_close={sid: [(reason, None)]})

    @rule(
        reason=st.sampled_from(
            [CloseReason.AGENT_DISCONNECTED, CloseReason.ROOM_CLOSED, CloseReason.SIDECAR_SHUTDOWN]
        )
    )
    def close_all(self, reason: CloseReason) -> None:
        if reason is CloseReason.ROOM_CLOSED:
            self.model.gone_for_good |= set(self.model.open)
        changes = list(self.registry.close_all(reason, None, moment(self.model.now_s)))
        assert len(changes) == len(self.model.open)
        self._take(changes, may_close={sid: [(reason, None)] for sid in self.model.open})
        self.model.goes_down(is_outage=False)

    # Time

    @rule(seconds=pauses)
    def time_passes(self, seconds: float) -> None:
        until_s = self.model.now_s + seconds
        for _ in range(1_000):
            due_s = self.registry.deadline()
            if due_s is None or due_s > until_s:
                break
            self.model.now_s = max(self.model.now_s, due_s)
            self._expire()
        else:
            raise AssertionError("a deadline that `expire` does not take away")
        self.model.now_s = until_s

    @rule(seconds=pauses)
    def time_passes_unattended(self, seconds: float) -> None:
        """The shell is late: several deadlines pass before it asks once."""
        self.model.now_s += seconds
        self._expire()
        due_s = self.registry.deadline()
        assert due_s is None or due_s > self.model.now_s

    @rule(fraction=st.sampled_from([0.0, 0.5, 0.999]))
    def asking_early_changes_nothing(self, fraction: float) -> None:
        due_s = self.registry.deadline()
        if due_s is not None and due_s - self.model.now_s > 0.001:
            self.model.now_s += (due_s - self.model.now_s) * fraction
            assert list(self.registry.expire(moment(self.model.now_s))) == []

    def _expire(self) -> None:
        model, slack = self.model, 1e-5
        is_over = model.lost_s is not None and model.now_s - model.lost_s >= OUTAGE_S - slack
        linked_s = model.linked_s() + slack
        may_close: dict[str, list[Why]] = {sid: [] for sid in model.open}
        held_out: set[str] = set()
        for sid, stay in model.open.items():
            if is_over and not model.is_up:
                may_close[sid].append(model.why_outage())
            if stay.removal_s is not None and model.now_s - stay.removal_s >= 5.0 - slack:
                may_close[sid].append((CloseReason.REMOVED, None))
            if model.is_up and stay.hold is not None and linked_s >= sum(stay.hold):
                may_close[sid].append(stay.why(stay.hold_reason))
                held_out.add(sid)
        changes = list(self.registry.expire(moment(model.now_s)))
        model.drops_what_was_kept_for_too_long()
        for change in changes:
            sid = change.session.participant_sid
            if isinstance(change, Closed):
                if change.reason is CloseReason.REMOVED and sid not in held_out:
                    model.gone_for_good.add(sid)
            else:
                assert model.is_up, "overdue while the link is not up"
                assert linked_s >= model.open[sid].opened_linked_s + 30.0, "overdue early"
                model.open[sid].is_overdue = True
        if is_over:
            model.lost_s = None
        self._take(changes, may_close=may_close)

    # What comes back

    def _take(
        self,
        changes: Sequence[Change],
        told: Sequence[Participant] = (),
        may_close: Mapping[str, Collection[Why]] = NOTHING_CLOSES,
    ) -> None:
        for change in changes:
            session = change.session
            if isinstance(change, Created):
                self.was_ever_open = True
            if isinstance(change, Updated):
                self.updates += 1
            if isinstance(change, Closed) and change.reason in BY_ANOTHER_SID and told:
                self.model.gone_for_good.add(session.participant_sid)
            self.model.fold([change], may_close)
        for person in told:
            self._note_seen(person)

    def _note_seen(self, person: Participant) -> None:
        stay = self.model.open.get(person.sid)
        if stay is None or person.kind not in PERSON_KINDS:
            return
        if person.state is not ParticipantState.DISCONNECTED:
            stay.hold = None
            stay.is_active = stay.is_active or person.state is ParticipantState.ACTIVE

    def _id_of(self, sid: str) -> str:
        shown = self.model.shown.get(sid)
        return "session_0_nobody" if shown is None else shown.session_id

    # Laws

    @invariant()
    def no_update_has_to_wait(self) -> None:
        """More than ten updates of a session in a second wait: test_sessions_floods.py has that."""
        if self.updates >= UPDATES_PER_S // 2:
            self.time_passes(1.001)
            self.updates = 0

    @invariant()
    def the_fold_of_the_changes_is_what_is_listed(self) -> None:
        assert self.registry.listed() == tuple(self.model.shown.values())
        for session in self.model.shown.values():
            assert self.registry.get(session.session_id) == session

    @invariant()
    def states_are_derived(self) -> None:
        for sid, session in self.model.shown.items():
            assert session.connection_state is self.model.state_of(sid)

    @invariant()
    def what_is_pending_is_what_can_come_about_and_nothing_else(self) -> None:
        found, expected = self.registry.deadline(), self.model.deadline()
        assert (found is None) is (expected is None), (found, expected)
        if found is not None and expected is not None:
            assert abs(found - expected) < 1e-5


TestRegistryLaws = RegistryLaws.TestCase


def test_a_stay_resumed_after_a_join_lasts_as_long_as_it_was_seen_whatever_its_start():
    """Found by the laws above; its start is ahead of the server's clock."""
    laws = RegistryLaws()
    laws.begin(start_s=0.0, server_ahead_ms=-60_000)
    laws.snapshot([])
    laws.link_lost(0)
    laws.resume([someone("alice", SIDS[0])], ROOM, 0.0, is_clock_inherited=False)
    laws.time_passes(0.1)
    laws.removal_moot(SIDS[0], CloseReason.LEFT)


def test_a_sid_that_opened_again_in_this_room_is_replaced_by_another_sid_of_its_identity():
    laws = RegistryLaws()
    laws.begin(start_s=0.0, server_ahead_ms=None)
    laws.seen(someone("alice", "PA_alice1"))
    laws.snapshot([someone("alice", "PA_alice1"), someone("alice", "PA_alice0")])
    assert laws.model.gone_for_good == {"PA_alice1"}
    assert list(laws.model.open) == ["PA_alice0"]
    laws.the_fold_of_the_changes_is_what_is_listed()


def test_a_session_that_opens_alone_after_an_outage_is_not_closed_by_it():
    laws = RegistryLaws()
    laws.begin(start_s=0.0, server_ahead_ms=None)
    laws.resume([someone("alice", "PA_alice1")], ROOM, outage_s=OUTAGE_S, is_clock_inherited=False)
    laws.seen(someone("alice", "PA_alice0"))
    laws.time_passes(44.0)
    assert list(laws.model.open) == ["PA_alice0"]
    laws.what_is_pending_is_what_can_come_about_and_nothing_else()
