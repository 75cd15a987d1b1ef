"""Voice plug-ins: a program of yours hears and answers each person in the room.

    class Echo(Voice):
        name = "echo"
        needs = Needs.HEAR | Needs.SPEAK

        async def run(self, session: Session) -> None:
            async for frame in session.microphone():
                await session.play(frame)

    sys.exit(main(voice=Echo))  # from sidecar import main

Import from here; the modules of this folder may change.
"""

from sidecar.core.sound import Frame, Needs
from sidecar.voice.plugin import Voice, method
from sidecar.voice.session import Session

__all__ = ["Frame", "Needs", "Session", "Voice", "method"]
