"""Reconnects that go wrong on the server's side: stays that went on are one session all along."""

from __future__ import annotations

import asyncio

import pytest
from livekit.protocol.models import DisconnectReason
from livekit.protocol.rtc import LeaveRequest, SignalResponse

from sidecar.dev.embedded.script import Outgoing, Script
from sidecar.dev.embedded_room import EmbeddedRoom
from tests.embedded import scripts
from tests.embedded.conftest import Arrive, StartSidecar, scripted
from tests.embedded.held import Held
from tests.embedded.scripts import AGENT, SIGNALLING, Answering

RECONNECTED_S = 60.0
"""The SDK's own reconnect, the watchdog over it (30 s), and a rejoin."""
RECONCILED_S = 30.0
"""Two polls 5 s apart, and each may take its 8 s."""


class Reconnecting(Script):
    """Refuses the agent's resumes, and spoils the joins that follow, as often as it is told."""

    def __init__(self) -> None:
        """By the book."""
        self.refuses = False
        self.loses_answers = 0
        """So many of the agent's joins get no description of the connection."""
        self.joins = 0
        """Of the agent."""
        self.joined = asyncio.Event()

    def refuses_resume(self, identity: str) -> bool:
        """Whether it refuses now."""
        return self.refuses and identity == AGENT

    def sends(self, identity: str, message: SignalResponse) -> Outgoing:
        """Count the joins, and lose the answers."""
        if identity != AGENT:
            return [message]
        if message.HasField("join"):
            self.joins += 1
            self.joined.set()
        if message.HasField("answer") and self.loses_answers:
            self.loses_answers -= 1
            return []
        return [message]


def _cut(server: EmbeddedRoom, room: str) -> None:
    """Drop the agent's signalling, as a network that fails."""
    participant = server.participant(room, AGENT)
    assert participant is not None
    assert participant.link is not None
    participant.link.cut()


async def _settled(
    sidecar_at: StartSidecar, server: EmbeddedRoom, people: Arrive, *identities: str
) -> Held:
    """The sidecar, and these people with it in the room."""
    for identity in identities:
        await people(server, identity).join()
    sidecar = await sidecar_at(server)
    await sidecar.connect()
    if identities:
        await sidecar.has(*identities)
    return sidecar


async def _reconnected(sidecar: Held, *identities: str) -> None:
    await sidecar.is_in("reconnecting")
    await sidecar.is_in("connected", within_s=RECONNECTED_S)
    await sidecar.has(*identities)


async def test_a_cut_of_the_signalling_is_resumed_and_changes_nothing(
    sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    async with scripted(script := Reconnecting()) as server:
        sidecar = await _settled(sidecar_at, server, people, "bob", "carol")
        _cut(server, room)
        await _reconnected(sidecar, "bob", "carol")
        assert script.joins == 1
        assert len(sidecar.law.created_sids) == 2
        assert sidecar.law.closes == []


@pytest.mark.full
async def test_a_refused_resume_becomes_a_full_reconnect_and_changes_nothing(
    sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    async with scripted(script := Reconnecting()) as server:
        sidecar = await _settled(sidecar_at, server, people, "bob", "carol")
        script.refuses = True
        _cut(server, room)
        await _reconnected(sidecar, "bob", "carol")
        assert script.joins == 2
        assert len(sidecar.law.created_sids) == 2
        assert sidecar.law.closes == []


@pytest.mark.full
async def test_one_who_left_in_a_half_failed_full_reconnect_is_closed_by_the_list(
    sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    """SDK 1.2.1 never learns of it: a join that comes to nothing has taken its people in, and the
    next one only adds (rust-sdks livekit/src/room/mod.rs, handle_signal_restarted)."""
    async with scripted(script := Reconnecting()) as server:
        bob = people(server, "bob")
        await bob.join()
        await people(server, "carol").join()
        sidecar = await _settled(sidecar_at, server, people)
        await sidecar.has("bob", "carol")
        script.refuses, script.loses_answers = True, 1
        script.joined.clear()
        _cut(server, room)
        async with asyncio.timeout(RECONNECTED_S):
            await script.joined.wait()
        sidecar.law.accept({"bob": ["left"]})
        await bob.leave()
        await sidecar.is_in("connected", within_s=RECONNECTED_S)
        await sidecar.has("carol", within_s=RECONCILED_S)
        assert sidecar.law.closed("bob") == [("left", "reconcile")]
        assert script.joins == 3
        assert len(sidecar.law.created_sids) == 2


async def test_a_401_in_the_middle_of_a_reconnect_fails_and_keeps_the_stay_for_a_join_that_works(
    sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    script = Answering(SIGNALLING, scripts.status(401, "permissions denied"))
    script.is_on = False
    async with scripted(script) as server:
        sidecar = await _settled(sidecar_at, server, people, "bob")
        session_id = sidecar.sessions()["bob"]["sessionId"]
        script.is_on = True
        _cut(server, room)
        await sidecar.is_in("failed", within_s=RECONNECTED_S)
        assert sidecar.sessions()["bob"]["connectionState"] == "reconnecting"
        script.is_on = False
        await sidecar.connect()
        await sidecar.has("bob")
        assert sidecar.sessions()["bob"]["sessionId"] == session_id
        assert len(sidecar.law.created_sids) == 1


@pytest.mark.full
@pytest.mark.parametrize("answer", ["500", "redirect", "silence"])
async def test_a_server_that_cannot_be_reached_while_reconnecting_is_outlived(
    sidecar_at: StartSidecar, people: Arrive, room: str, answer: str
) -> None:
    how = {
        "500": scripts.status(500),
        "redirect": scripts.redirect(""),
        "silence": scripts.silence,
    }[answer]
    script = Answering(SIGNALLING, how)
    script.is_on = False
    async with scripted(script) as server:
        sidecar = await _settled(sidecar_at, server, people, "bob")
        session_id = sidecar.sessions()["bob"]["sessionId"]
        script.is_on = True
        _cut(server, room)
        await sidecar.is_in("reconnecting")
        await sidecar.until(
            "bob reconnecting",
            lambda law: all(
                each["connectionState"] == "reconnecting" for each in law.open.values()
            ),
        )
        script.is_on = False
        await sidecar.is_in("connected", within_s=RECONNECTED_S)
        await sidecar.has("bob")
        assert sidecar.sessions()["bob"]["sessionId"] == session_id
        assert len(sidecar.law.created_sids) == 1


@pytest.mark.full
async def test_after_an_outage_of_45_s_the_stay_is_closed_and_the_next_is_another(
    sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    script = Answering(SIGNALLING, scripts.silence)
    script.is_on = False
    async with scripted(script) as server:
        sidecar = await _settled(sidecar_at, server, people, "bob")
        session_id = sidecar.sessions()["bob"]["sessionId"]
        sidecar.law.accept_reopening("bob")
        script.is_on = True
        _cut(server, room)
        await sidecar.is_in("reconnecting")
        await sidecar.closes("bob", "connection-lost", within_s=RECONNECTED_S)
        script.is_on = False
        await sidecar.is_in("connected", within_s=2 * RECONNECTED_S)
        await sidecar.has("bob")
        assert sidecar.sessions()["bob"]["sessionId"] != session_id


@pytest.mark.full
@pytest.mark.parametrize(
    ("reason", "state", "closed"),
    [
        (DisconnectReason.SERVER_SHUTDOWN, "connected", None),
        (DisconnectReason.STATE_MISMATCH, "connected", None),
        (DisconnectReason.UNKNOWN_REASON, "connected", None),
        (DisconnectReason.CLIENT_INITIATED, "connected", None),
        (DisconnectReason.ROOM_DELETED, "connected", "room-closed"),
        (DisconnectReason.DUPLICATE_IDENTITY, "backoff", "agent-disconnected"),
        (DisconnectReason.PARTICIPANT_REMOVED, "failed", "agent-disconnected"),
    ],
    ids=lambda value: DisconnectReason.Name(value) if isinstance(value, int) else value,
)
async def test_a_final_leave_for_any_reason_leads_to_its_state(
    sidecar_at: StartSidecar,
    people: Arrive,
    room: str,
    reason: DisconnectReason,
    state: str,
    closed: str | None,
) -> None:
    async with scripted(Script()) as server:
        sidecar = await _settled(sidecar_at, server, people, "bob")
        sidecar.law.accept({"bob": [] if closed is None else [closed]})
        sidecar.law.accept_reopening("bob")
        agent = server.participant(room, AGENT)
        assert agent is not None
        agent.send_leave(reason, LeaveRequest.Action.DISCONNECT)
        await sidecar.until("the end of that Room", lambda law: law.agent_states[-1] != "connected")
        await sidecar.is_in(state, within_s=RECONNECTED_S)
        if closed is not None:
            await sidecar.until("bob's end", lambda law: bool(law.closed("bob")))
        elif state == "connected":
            await sidecar.has("bob")
        assert [why for why, _ in sidecar.law.closed("bob")] == ([] if closed is None else [closed])
