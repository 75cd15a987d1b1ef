"""A voice plug-in in a real room: who hears whom is measured by frequency."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from livekit import api

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import RpcError
from tests.livekit.stdio import session_of
from tests.livekit.voice.conftest import AGENT, Serve, Talk, arrived, asked, events_of, hears

ANNA_HZ, BEN_HZ = 400, 700


@pytest.mark.full
async def test_each_session_hears_its_own_person_and_each_person_hears_their_own_answer(
    serve: Serve, talker: Talk
) -> None:
    async with serve(voice={"language": "en"}) as sidecar:
        anna, ben = talker("anna"), talker("ben")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        ben_id = await arrived(sidecar, ben, BEN_HZ)
        await hears(sidecar, anna_id, ANNA_HZ)
        await hears(sidecar, ben_id, BEN_HZ)
        await asked(sidecar, "say", anna_id, hz=1000, seconds=3)
        await asked(sidecar, "say", ben_id, hz=1500, seconds=3, in_pieces=True)
        await anna.hearing(AGENT, 1000)
        await ben.hearing(AGENT, 1500)
        await asked(sidecar, "write", anna_id, role="user", text="what time is it", final=False)
        await asked(sidecar, "write", anna_id, role="user", text="what time is it?")
        await asked(sidecar, "write", anna_id, role="assistant", text="It is late.")
        assert await asked(sidecar, "text", anna_id, text="hello anna") == "sent"
        await anna.reads(4)
        assert set(await asked(sidecar, "ever", anna_id)) <= {0, ANNA_HZ}
        assert set(await asked(sidecar, "ever", ben_id)) <= {0, BEN_HZ}

        assert ben.texts == []
        chat, *rest = sorted(anna.texts, key=lambda text: text[0])
        assert chat[:3] == ("lk.chat", AGENT, "hello anna")
        said = [(who, text, more["lk.transcription_final"]) for _, who, text, more in rest]
        assert sorted(said) == [
            ("anna", "what time is it", "false"),
            ("anna", "what time is it?", "true"),
            (AGENT, "It is late.", "true"),
        ]
        segments = {
            who: {m["lk.segment_id"] for _, w, _, m in rest if w == who} for who, *_ in said
        }
        assert [len(each) for each in segments.values()] == [1, 1]
        assert all(more["lk.transcribed_track_id"].startswith("TR_") for *_, more in rest)

        page = await sidecar.call("getConversation", {"sessionId": anna_id})
        messages = page["messages"]
        assert isinstance(messages, list)
        assert [(each["number"], each["role"], each["content"]) for each in messages] == [
            (1, "user", "what time is it?"),
            (2, "assistant", "It is late."),
        ]
        updated = await sidecar.notified(
            "session-updated", lambda params: session_of(params)["messageCount"] == 1
        )
        assert session_of(updated.params)["sessionId"] == anna_id
        events = events_of(sidecar, anna_id)
        assert [each["number"] for each in events] == list(range(1, len(events) + 1))
        assert events[0]["content"] == {"messages": 0, "language": "en"}
        await anna.leave()
        await sidecar.notified("session-closed")
        assert sidecar.notifications[-1].method in ("session-closed", "session-event")


async def test_a_plug_in_s_methods_are_described_and_refuse_bad_params(
    serve: Serve, talker: Talk
) -> None:
    async with serve() as sidecar:
        anna_id = await arrived(sidecar, talker("anna"))
        described = {each["name"]: each for each in (await sidecar.call("rpc.discover"))["methods"]}
        assert [each["name"] for each in described["probe.say"]["params"]] == [
            "sessionId",
            "hz",
            "seconds",
            "in_pieces",
        ]
        for wrong in (
            {},
            {"sessionId": anna_id, "hz": "1000", "seconds": 1},
            {"sessionId": anna_id, "hz": 1000},
            {"sessionId": anna_id, "hz": 1000, "seconds": 1, "loud": True},
            {"sessionId": 7, "hz": 1000, "seconds": 1},
        ):
            with pytest.raises(RpcError) as refused:
                await sidecar.request("probe.say", wrong)
            assert refused.value.code == -32602
        with pytest.raises(RpcError) as unknown:
            await asked(sidecar, "heard", "session_1_nobody")
        assert unknown.value.code == 1003


@pytest.mark.full
async def test_who_unpublishes_is_not_heard_in_the_voice_of_the_next_one(
    serve: Serve, talker: Talk
) -> None:
    """A reused transceiver feeds the next person's sound into a stream that is left open."""
    async with serve() as sidecar:
        anna, ben = talker("anna"), talker("ben")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        ben_id = await arrived(sidecar, ben)
        await hears(sidecar, anna_id, ANNA_HZ)
        await anna.hush()
        await ben.talk(BEN_HZ)
        await hears(sidecar, ben_id, BEN_HZ)
        before = len(await asked(sidecar, "ever", anna_id))
        await asyncio.sleep(2)  # the time in which a stray stream would carry ben
        assert set(await asked(sidecar, "ever", anna_id)) <= {0, ANNA_HZ}
        assert (await asked(sidecar, "heard", anna_id))[0] == 0
        assert before > 0
        assert await asked(sidecar, "streams", anna_id) == 0


@pytest.mark.full
@pytest.mark.parametrize("kind", ["SIMULATE_FULL_RECONNECT", "SIMULATE_SIGNAL_RECONNECT"])
async def test_a_reconnect_of_the_agent_costs_no_ears_no_mouth_and_no_secret(
    serve: Serve, talker: Talk, kind: str
) -> None:
    async with serve() as sidecar:
        anna, ben = talker("anna"), talker("ben")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        ben_id = await arrived(sidecar, ben, BEN_HZ)
        await hears(sidecar, anna_id, ANNA_HZ)
        await asked(sidecar, "say", anna_id, hz=1000, seconds=60, in_pieces=True)
        await anna.hearing(AGENT, 1000)
        assert ben.hears(AGENT) == 0
        since = len(sidecar.notifications)
        await asked(sidecar, "reconnect", anna_id, kind=kind)
        await sidecar.notified(
            "agent-state-changed", lambda params: params["state"] == "connected", since=since
        )
        await asyncio.sleep(1)  # what was heard before the reconnect grows old
        await hears(sidecar, anna_id, ANNA_HZ)
        await hears(sidecar, ben_id, BEN_HZ)
        await anna.hearing(AGENT, 1000)
        frames = b"".join(data for _, data in ben.heard[AGENT])
        assert max(memoryview(frames).cast("h"), default=0) < 300
        assert set(await asked(sidecar, "ever", anna_id)) <= {0, ANNA_HZ}
        assert await asked(sidecar, "streams", anna_id) == 1


@pytest.mark.full
@pytest.mark.parametrize("kind", ["SIMULATE_FULL_RECONNECT", "SIMULATE_SIGNAL_RECONNECT"])
async def test_a_text_that_is_sent_while_the_agent_reconnects_arrives_or_is_late_within_5_s(
    serve: Serve, talker: Talk, kind: str
) -> None:
    """The SDK's own `send_text` may wait for ever there."""
    async with serve() as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna)
        since = len(sidecar.notifications)
        ended, took_s = await asked(
            sidecar, "reconnect_and_text", anna_id, kind=kind, text="in between"
        )
        assert ended in ("sent", "late")
        assert took_s < 8  # 5 s, and the reconnect's own request
        await sidecar.notified(
            "agent-state-changed", lambda params: params["state"] == "connected", since=since
        )
        assert await asked(sidecar, "text", anna_id, text="after it") == "sent"
        await anna.reads(1 if ended == "late" else 2)
        assert anna.texts[-1][2] == "after it"


@pytest.mark.full
@pytest.mark.parametrize("kind", ["SIMULATE_FULL_RECONNECT", "SIMULATE_SIGNAL_RECONNECT"])
async def test_who_is_muted_stays_muted_over_a_reconnect_of_the_agent(
    serve: Serve, talker: Talk, kind: str
) -> None:
    async with serve() as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        await hears(sidecar, anna_id, ANNA_HZ)
        (track,) = anna.tracks()
        track.mute()
        await sidecar.notified(
            "session-updated", lambda params: session_of(params).get("microphone") == "muted"
        )
        since = len(sidecar.notifications)
        await asked(sidecar, "reconnect", anna_id, kind=kind)
        await sidecar.notified(
            "session-updated",
            lambda params: session_of(params)["connectionState"] == "connected",
            since=since,
        )
        await asyncio.sleep(1)  # the time in which a wrong word would come
        session = await sidecar.call("getSession", {"sessionId": anna_id})
        assert session["microphone"] == "muted"
        shown = [
            session_of(each.params).get("microphone")
            for each in sidecar.notifications[since:]
            if each.method == "session-updated"
        ]
        assert set(shown) == {"muted"}
        track.unmute()
        await sidecar.notified(
            "session-updated",
            lambda params: session_of(params).get("microphone") == "on",
            since=since,
        )
        await hears(sidecar, anna_id, ANNA_HZ)


@pytest.mark.full
async def test_who_is_silent_for_long_or_mutes_is_heard_again(serve: Serve, talker: Talk) -> None:
    async with serve() as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        await hears(sidecar, anna_id, ANNA_HZ)
        (track,) = anna.tracks()
        for _ in range(3):
            track.mute()
            await asyncio.sleep(3)
            track.unmute()
            await hears(sidecar, anna_id, ANNA_HZ)
            await asked(sidecar, "say", anna_id, hz=1000, seconds=1)
            await anna.hearing(AGENT, 1000)
        assert await asked(sidecar, "streams", anna_id) == 1


@pytest.mark.full
async def test_words_name_the_track_of_their_speaker_and_the_new_one_after_a_change(
    serve: Serve, talker: Talk
) -> None:
    async with serve() as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        await hears(sidecar, anna_id, ANNA_HZ)
        named = []
        for number in range(2):
            await asked(sidecar, "write", anna_id, role="user", text=f"words {number}")
            await anna.reads(number + 1)
            own = set(anna.person.room.local_participant.track_publications)
            *_, attributes = anna.texts[-1]
            assert own == {attributes["lk.transcribed_track_id"]}
            named.append(own)
            if number == 0:
                await anna.hush()
                await anna.talk(BEN_HZ)
                await hears(sidecar, anna_id, BEN_HZ)
        assert named[0] != named[1]


@pytest.mark.full
async def test_an_interrupted_answer_is_silent_within_300_ms_and_kept_as_far_as_heard(
    serve: Serve, talker: Talk
) -> None:
    async with serve() as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        words = " ".join(f"word{number}" for number in range(50))
        await asked(sidecar, "write", anna_id, role="assistant", text=words)
        await asked(sidecar, "say", anna_id, hz=1000, seconds=5)
        await anna.hearing(AGENT, 1000)
        await asyncio.sleep(1)
        assert await asked(sidecar, "interrupt", anna_id) is False
        interrupted_s = time.monotonic()
        await asyncio.sleep(1)
        loud = [
            at for at, data in anna.heard[AGENT] if max(memoryview(data).cast("h"), default=0) > 300
        ]
        assert max(loud) - interrupted_s < 0.3
        page = await sidecar.call("getConversation", {"sessionId": anna_id})
        (message,) = page["messages"]
        assert message["interrupted"] is True
        assert words.startswith(message["content"])
        assert 5 <= len(message["content"].split()) <= 35
        last = events_of(sidecar, anna_id, "transcript")[-1]["content"]
        assert (last["interrupted"], last["text"]) == (True, message["content"])
        await anna.reads(2)
        assert {text for *_, text, _ in anna.texts} == {words, message["content"]}
        assert len({more["lk.segment_id"] for *_, more in anna.texts}) == 1
        await asked(sidecar, "say", anna_id, hz=1500, seconds=2)
        await anna.hearing(AGENT, 1500)


@pytest.mark.full
async def test_ten_republishings_leave_one_stream(serve: Serve, talker: Talk) -> None:
    async with serve() as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        for _ in range(10):
            await anna.hush()
            await anna.talk(ANNA_HZ)
        await hears(sidecar, anna_id, ANNA_HZ)
        assert await asked(sidecar, "streams", anna_id) == 1
        frames, _ = await asked(sidecar, "heard", anna_id, last_s=1.0)
        assert frames <= 60  # 50 a second from one stream


@pytest.mark.full
async def test_a_token_that_grants_nothing_is_said_in_three_places(
    server: DevServer, room: str, serve: Serve, talker: Talk
) -> None:
    grants = api.VideoGrants(
        room_join=True, room=room, can_publish=False, can_subscribe=False, can_publish_data=False
    )
    token = api.AccessToken(server.api_key, server.api_secret).with_identity(AGENT)
    token = token.with_kind("agent").with_grants(grants).to_jwt()
    async with serve(params={"url": server.url, "token": token}) as sidecar:
        anna_id = await arrived(sidecar, talker("anna"), ANNA_HZ)
        failed = await sidecar.notified("session-event", lambda params: params["name"] == "failed")
        assert failed.params["sessionId"] == anna_id
        assert "canSubscribe, canPublish, canPublishData" in str(failed.params["content"])
        warnings = (await sidecar.call("getStatus"))["warnings"]
        assert "canSubscribe, canPublish, canPublishData" in str(warnings)
        assert "canSubscribe, canPublish, canPublishData" in "\n".join(sidecar.stderr_lines)


@pytest.mark.full
async def test_thirty_visits_leave_no_more_threads_and_tracks_than_three(
    serve: Serve, talker: Talk
) -> None:
    """Each published track leaves a native thread: so the tracks are used again."""
    async with serve() as sidecar:
        counts = []
        for number in range(30):
            anna = talker(f"anna{number}")
            session_id = await arrived(sidecar, anna, ANNA_HZ)
            await hears(sidecar, session_id, ANNA_HZ)
            await asked(sidecar, "say", session_id, hz=1000, seconds=1)
            await anna.hearing(AGENT, 1000)
            counts.append(len(list((_proc(sidecar.pid) / "task").iterdir())))
            await anna.leave()
            await sidecar.notified(
                "session-closed",
                lambda params, who=session_id: session_of(params)["sessionId"] == who,
            )
        assert max(counts[-5:]) <= max(counts[:3]) + 2, counts


@pytest.mark.full
async def test_a_new_process_goes_on_with_the_conversation(serve: Serve, talker: Talk) -> None:
    anna = talker("anna")
    async with serve() as sidecar:
        anna_id = await arrived(sidecar, anna, ANNA_HZ)
        await asked(sidecar, "write", anna_id, role="user", text="remember me")
        session = await sidecar.call("getSession", {"sessionId": anna_id})
        page = await sidecar.call("getConversation", {"sessionId": anna_id})
        sidecar.kill()
    async with serve(resume=[{**session, "conversation": page["messages"]}]) as sidecar:
        began = await sidecar.notified("session-event", lambda params: params["name"] == "began")
        assert began.params["content"] == {"messages": 1}
        await hears(sidecar, anna_id, ANNA_HZ)
        await asked(sidecar, "write", anna_id, role="assistant", text="I do")
        again = await sidecar.call("getConversation", {"sessionId": anna_id, "after": 1})
        assert [(each["number"], each["content"]) for each in again["messages"]] == [(2, "I do")]


@pytest.mark.full
async def test_a_session_shows_microphone_speech_quality_and_outages(
    server: DevServer, serve: Serve, talker: Talk
) -> None:
    async with serve() as sidecar:
        anna = talker("anna")

        async def shows(timeout_s: float = 15.0, **members: object) -> None:
            """Wait until anna's session has these members."""
            await sidecar.notified(
                "session-updated",
                lambda params: members.items() <= session_of(params).items(),
                timeout_s=timeout_s,
            )

        anna_id = await arrived(sidecar, anna)
        await shows(microphone="none", reconnectionAttempts=0)
        await anna.talk(ANNA_HZ)
        await shows(microphone="on", speaking=True)
        (track,) = anna.tracks()
        track.mute()
        await shows(microphone="muted")
        track.unmute()
        quality = await sidecar.notified(
            "session-updated", lambda params: "audioQuality" in session_of(params), timeout_s=15
        )
        found = session_of(quality.params)["audioQuality"]
        assert found["sampleRate"] == 48_000
        assert found["bitrate"] > 1_000
        await asked(sidecar, "reconnect", anna_id, kind="SIMULATE_SIGNAL_RECONNECT")
        await shows(reconnectionAttempts=1)

        agent = next(iter(anna.person.room.remote_participants.values()))
        await asked(sidecar, "say", anna_id, hz=1000, seconds=2)
        await anna.hearing(AGENT, 1000)
        states = {agent.attributes.get("lk.agent.state")}
        async with asyncio.timeout(10):
            while states < {"speaking", "listening"}:
                anna.news.clear()
                await anna.news.wait()
                states.add(agent.attributes.get("lk.agent.state"))
        await sidecar.request("sendText", {"sessionId": anna_id, "text": "for anna"})
        await anna.reads(1)
        assert anna.texts[0][:3] == ("lk.chat", AGENT, "for anna")
        await anna.leave()
        await sidecar.notified("session-closed")
        (entry,) = (await sidecar.call("listClosedSessions"))["sessions"]
        assert (entry["session"]["sessionId"], entry["reason"]) == (anna_id, "left")


def _proc(pid: int) -> Path:
    return Path("/proc") / str(pid)
