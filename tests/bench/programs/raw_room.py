"""An agent made of `livekit.rtc` alone: joins, tells whom it hears of, leaves at stdin's end.

The floor of everything in a room. URL and TOKEN are its environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from livekit import rtc


async def main() -> None:
    """Join, and stay until the end of stdin."""
    room = rtc.Room()
    room.on("participant_connected", lambda who: print(f'{{"created":"{who.sid}"}}', flush=True))
    options = rtc.RoomOptions(auto_subscribe=False)
    await room.connect(os.environ["URL"], os.environ["TOKEN"], options)
    print('{"in":"the room"}', flush=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, over.set)
    await over.wait()
    await room.disconnect()
    sys.stdout.flush()
    os._exit(0)  # a normal exit aborts at times: a native thread calls into Python


logging.getLogger("livekit").disabled = True
asyncio.run(main())
