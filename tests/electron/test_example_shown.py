"""What the example's window shows: names of strangers, voice that is unavailable, three states.

Takes the pictures of the READMEs on the way.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from livekit import api

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from tests.electron.example_window import CONNECTED, Open, Window
from tests.livekit.faults.lasting_ports import lasting_ports
from tests.livekit.faults.websocket_only import websocket_only

pytestmark = pytest.mark.full

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTE = "Call Ada back about the invoice."
NEW_PICTURES = os.environ.get("SIDECAR_PICTURES") == "1"
"""Set it to put the screenshots of this run into docs/."""


HOSTILE = {
    "markup": "<img src=x onerror=\"document.title='owned'\"><script>top.owned=1</script>",
    "right-to-left": "\u202egnp.exe \u05d0\u05d1\u05d2",
    "emoji": "👩🏽\u200d🚀🏳️\u200d🌈 Zoë",
    "long": "x" * 10_000,
    "blank": " \t ",
}


async def test_names_from_strangers_are_shown_as_text_and_break_nothing(
    opened: Open, server: DevServer, token: Callable[[str, str], str]
) -> None:
    async with opened() as shown, contextlib.AsyncExitStack() as stack:
        await shown.page.until(CONNECTED, "the agent in the room")
        width = await shown.page.evaluate("document.documentElement.scrollWidth")
        for identity, name in HOSTILE.items():
            someone = PersonProcess(server.url, token(identity, name), identity)
            await stack.enter_async_context(someone)
            await someone.join()
            await someone.publish()
        await shown.rows(f"rows.length === {len(HOSTILE)}", "all of them")
        names = await shown.page.evaluate(
            "[...document.querySelectorAll('#rows .name')].map((each) => each.textContent)"
        )
        assert HOSTILE["markup"] in names
        assert HOSTILE["emoji"] in names
        assert HOSTILE["right-to-left"] in names
        assert "blank" in names, "the identity, where there is no name"
        assert (
            await shown.page.evaluate("document.querySelectorAll('main img, main script').length")
            == 0
        )
        assert await shown.page.evaluate("document.title") == "Clara"
        assert await shown.page.evaluate("document.documentElement.scrollWidth") == width
        heights = await shown.page.evaluate(
            "[...document.querySelectorAll('#rows tr')].map((each) => each.offsetHeight)"
        )
        assert max(heights) < 80, "one or two lines each"


async def test_try_again_joins_a_room_that_refused_the_agent_before(
    opened: Open, server_binary: Path, room: str, tmp_path: Path
) -> None:
    ports = lasting_ports(with_tcp=False)
    refusing = DevServer(server_binary, ports)
    accepting = DevServer(server_binary, ports)
    there = {
        "LIVEKIT_URL": accepting.url,
        "LIVEKIT_API_KEY": accepting.api_key,
        "LIVEKIT_API_SECRET": accepting.api_secret,
    }
    shown_trouble = "!document.getElementById('trouble').hidden"
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(refusing)
        shown = await stack.enter_async_context(opened(**there))
        page = shown.page
        await page.until(shown_trouble, "what is wrong")
        title = await page.evaluate("document.getElementById('trouble-title').textContent")
        assert title == "The voice service did not let Clara in"
        detail = await page.evaluate("document.getElementById('trouble-detail').textContent")
        assert detail.startswith("unauthorized: ")
        # The rest of the app goes on.
        await page.type("#notes", NOTE)
        assert await page.evaluate("document.getElementById('notes').value") == NOTE
        await keep_picture(shown, "example-unavailable", tmp_path)

        await refusing.stop()
        await stack.enter_async_context(accepting)
        assert await page.evaluate(shown_trouble), "an agent that was refused does not ask again"
        await page.click("#try-again")
        await page.until(CONNECTED, "the agent in the room")
        assert not await page.evaluate(shown_trouble)
        assert await page.evaluate("document.getElementById('notes').value") == NOTE


async def test_try_again_brings_back_an_agent_that_was_removed(
    opened: Open, server: DevServer, room: str
) -> None:
    async with opened() as shown:
        await shown.page.until(CONNECTED, "the agent in the room")
        identity = (await shown.page.evaluate("clara.getStatus()"))["identity"]
        async with api.LiveKitAPI(server.url, server.api_key, server.api_secret) as livekit:
            agent = api.RoomParticipantIdentity(room=room, identity=identity)
            await livekit.room.remove_participant(agent)
        title = "document.getElementById('trouble-title').textContent"
        await shown.page.until(f"{title} === 'Clara was removed from the room'", "the reason")
        await shown.page.click("#try-again")
        await shown.page.until(CONNECTED, "the agent back in the room")


async def test_three_sessions_in_three_states_are_told_apart(
    opened: Open,
    server: DevServer,
    token: Callable[[str, str], str],
    guest: Callable[..., PersonProcess],
    tmp_path: Path,
) -> None:
    """One who never got further than the websocket is overdue after 30 s, another not yet."""
    async with opened() as shown, guest("ada-41", "Ada Lovelace") as ada:
        await shown.page.until(CONNECTED, "the agent in the room")
        async with websocket_only(server.url, token("grace-7", "Grace Hopper")):
            await ada.join()
            await ada.publish()
            for text in ("Good morning.", "Is anybody there?"):
                await ada.chat(text)
            overdue = "rows.some((row) => row.dataset.state === 'error')"
            await shown.rows(overdue, "the one who does not get through")
            async with websocket_only(server.url, token("katherine-2", "Katherine Johnson")):
                three = "new Set(rows.map((row) => row.dataset.state)).size === 3"
                await shown.rows(three, "three states")
                quality = "rows[0].querySelector('.connection').textContent === 'Excellent'"
                await shown.rows(quality, "the quality of the connection")
                seen = await shown.page.evaluate(
                    """[...document.querySelectorAll('#rows tr')].map((row) => [
                        row.querySelector('.name').textContent,
                        row.querySelector('.connection').textContent,
                        row.querySelector('td.number').textContent,
                    ])"""
                )
                assert seen == [
                    ["Ada Lovelace", "Excellent", "2"],
                    ["Grace Hopper", "No connection", "0"],
                    ["Katherine Johnson", "Connecting…", "0"],
                ]
                count = await shown.page.evaluate("document.querySelector('.count').textContent")
                assert count == "3"
                await keep_picture(shown, "example", tmp_path)
                await shown.page.send(
                    "Emulation.setEmulatedMedia",
                    features=[{"name": "prefers-color-scheme", "value": "dark"}],
                )
                await keep_picture(shown, "example-dark", tmp_path)


async def keep_picture(shown: Window, name: str, folder: Path) -> None:
    """Take a screenshot; into docs/ when that was asked for."""
    await shown.page.evaluate("document.activeElement.blur()")
    picture = await shown.page.screenshot()
    assert picture.startswith(b"\x89PNG")
    ((DOCS if NEW_PICTURES else folder) / f"{name}.png").write_bytes(picture)
