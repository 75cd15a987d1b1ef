"""An assistant: hears each person in the room, and answers in words and by voice.

This program is the sidecar of an app, in the place of `python -m sidecar`.
"""

import asyncio
import contextlib
import logging
import re
import sys
from datetime import datetime

import offline

from sidecar import main
from sidecar.voice import Needs, Session, Voice


class Assistant(Voice):
    """Answers one person. Each person in the room gets one."""

    name = "assistant"
    needs = Needs.HEAR | Needs.SPEAK | Needs.TEXT

    async def run(self, session: Session) -> None:
        """Answer when the person pauses; stop the answer when the person speaks again."""
        turn = offline.Turn()
        answering: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as tasks:
            async for frame in session.microphone(offline.HEARS_HZ, offline.FRAME_MS):
                change = turn.hear(frame.data)
                if change == "begins":
                    session.interrupt()
                    if answering is not None:
                        answering.cancel()
                elif change == "ends":
                    answering = tasks.create_task(self.answer(session, turn))

    async def answer(self, session: Session, turn: offline.Turn) -> None:
        """Understand the question, show it, and answer it sentence by sentence."""
        try:
            question = await asyncio.to_thread(offline.understand, bytes(turn.sound))
            if not question:
                return turn.forget()
            reply = self.reply(question, session)
            for number, sentence in enumerate(re.split(r"(?<=[.?!]) ", reply)):
                sound, rate = await asyncio.to_thread(offline.speak, sentence)
                if number == 0:
                    turn.forget()  # until now, more words would have been part of the question
                    await show(session, "user", question)
                    await show(session, "assistant", reply)
                await session.play(sound, rate)
        except Exception as error:
            logging.getLogger(self.name).exception("No answer to %s", session.now.session_id)
            session.emit("no-answer", {"error": str(error)})

    def reply(self, question: str, session: Session) -> str:
        """Return the answer. Put a language model here; `session.conversation` has all words."""
        asked = question.lower()
        if "time" in asked:
            return f"It is {datetime.now():%H:%M}."
        if "name" in asked:
            return "My name is Clara."
        if "how many" in asked:
            return f"You asked {session.now.message_count} questions before this one."
        if "can you" in asked:
            return (
                "I hear you. I can tell you the time and my name. I count your questions, and I "
                "repeat what you say when I have no better answer. Speak, and I stop at once."
            )
        return f"I heard you say: {question}"


async def show(session: Session, role: str, words: str) -> None:
    """Show and keep *words*; go on when the person's page cannot be reached now."""
    with contextlib.suppress(TimeoutError):
        await session.transcript(role, words)


if __name__ == "__main__":
    sys.exit(main(voice=Assistant))
