"""The example app in a real Electron, its page joined by livekit-client, on a real server.

Its user is a person at the window: what is asked for is asked for by its buttons, and what is
seen is read from its page.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from tests.electron.electron_app import sidecar_of
from tests.electron.example_window import CONNECTED, Window, copy_of_the_bridge, window
from tests.livekit.faults.lasting_ports import lasting_ports
from tests.livekit.faults.websocket_only import websocket_only

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTE = "Call Ada back about the invoice."
NEW_PICTURES = os.environ.get("SIDECAR_PICTURES") == "1"
"""Set it to put the screenshots of this run into docs/."""


@pytest.fixture(scope="session")
def example(livekit_client: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example app with its packages, as `npm install` leaves it."""
    return copy_of_the_bridge(tmp_path_factory.mktemp("example"), livekit_client) / "example"


class Open(Protocol):
    """Opens the example's window; in the test's own room of the suite's server."""

    def __call__(self, **environment: str) -> contextlib.AbstractAsyncContextManager[Window]: ...


@pytest.fixture
def room() -> str:
    """A room of one's own, of a name that looks well in the pictures."""
    return f"support-{uuid.uuid4().hex[:4]}"


@pytest.fixture
def opened(
    electron: Path, display: str, server: DevServer, example: Path, room: str, tmp_path: Path
) -> Open:
    """Open the example's window."""

    @contextlib.asynccontextmanager
    async def open_it(**environment: str) -> AsyncIterator[Window]:
        surroundings = {
            "DISPLAY": display,
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
            "LIVEKIT_ROOM": room,
            **environment,
        }
        async with window(electron, example, surroundings, tmp_path) as shown:
            yield shown

    return open_it


@pytest.fixture
def token(server: DevServer, room: str) -> Callable[[str, str], str]:
    """Make a token for an identity and a name."""

    def mint(identity: str, name: str = "") -> str:
        return mint_token(server.api_key, server.api_secret, room, identity, name=name)

    return mint


@pytest.fixture
def person(server: DevServer, token: Callable[[str, str], str]) -> Callable[..., PersonProcess]:
    """Prepare a person by identity and name."""

    def prepare(identity: str, name: str = "") -> PersonProcess:
        return PersonProcess(server.url, token(identity, name), identity)

    return prepare


async def join_by_the_window(shown: Window, name: str) -> None:
    """Bring the page itself into the room."""
    await shown.page.until(CONNECTED, "the agent in the room")
    await shown.page.type("#name", name)
    await shown.page.click("#join-button")
    await shown.page.until("!document.getElementById('in-call').hidden", "the page in the room")


async def test_the_page_joins_chats_mutes_and_leaves_and_is_a_session_everywhere(
    opened: Open,
) -> None:
    async with opened() as shown:
        page = shown.page
        await join_by_the_window(shown, "Max")
        await shown.rows("rows.length === 1", "the page's own row")
        (session,) = (await page.evaluate("clara.listSessions()"))["sessions"]
        identity = session["participantId"]
        assert session["name"] == "Max"
        one = f"Sessions: {json.dumps([identity])}"
        await shown.app.line(lambda line: line == one, "the session in the main process")
        assert await page.evaluate("document.querySelector('#rows .you').hidden") is False

        await page.type("#text", "Good morning!")
        await page.click("#say button")
        counted = "rows[0].querySelector('td.number').textContent === '1'"
        await shown.rows(counted, "the message, counted")

        await page.click("#mute")
        pressed = "document.getElementById('mute').getAttribute('aria-pressed') === 'true'"
        await page.until(pressed, "the microphone, muted")

        await page.click("#leave")
        await shown.rows("rows.length === 0", "no row")
        assert (await page.evaluate("clara.listSessions()"))["sessions"] == []
        cleaned = f"🧹 Cleaning up session {session['sessionId']}"
        await shown.app.line(lambda line: line == cleaned, "the cleanup")
        await shown.app.line(lambda line: line == "Sessions: []", "no session in the main process")


RECORD = """
    sessionStorage.told = sessionStorage.told || '[]';
    clara.onSessions(({type, sessions, session, seq}) => {
        const told = JSON.parse(sessionStorage.told);
        told.push({type, seq, sessionId: session && session.sessionId,
                   open: sessions.map(({sessionId}) => sessionId)});
        sessionStorage.told = JSON.stringify(told);
    });
"""
"""Keeps what the page is told over its reloads."""


async def test_a_reload_keeps_the_sidecar_and_the_page_goes_on_without_gap_or_double(
    opened: Open, person: Callable[..., PersonProcess]
) -> None:
    async with opened() as shown, person("ada") as ada, person("grace") as grace:
        page = shown.page
        await page.until(CONNECTED, "the agent in the room")
        sidecar = sidecar_of(shown.app.processes())
        await page.evaluate(RECORD)
        await ada.join()
        await ada.publish()
        await shown.rows("rows.length === 1", "ada")
        before = await page.evaluate("clara.listSessions()")

        await page.reload()
        await page.evaluate(RECORD)
        after = await page.evaluate("clara.listSessions()")
        ids = [each["sessionId"] for each in before["sessions"]]
        assert [each["sessionId"] for each in after["sessions"]] == ids
        assert sidecar_of(shown.app.processes()).pid == sidecar.pid
        await shown.rows("rows.length === 1", "ada again")

        await grace.join()
        await grace.publish()
        await shown.rows("rows.length === 2", "grace")
        await page.reload()
        await page.evaluate(RECORD)
        await ada.leave()
        await grace.leave()
        await shown.rows("rows.length === 0", "nobody")
        told = json.loads(await page.evaluate("sessionStorage.told"))

    open_ids: list[str] = []
    last_seq = -1
    for event in told:
        if event["type"] == "snapshot":
            assert event["seq"] >= last_seq
            assert event["seq"] > last_seq or event["open"] == open_ids
        else:
            assert event["seq"] > last_seq, "each once, and in order"
            here = event["sessionId"] in open_ids
            assert here == (event["type"] != "created")
        last_seq, open_ids = event["seq"], event["open"]
    assert [each["type"] for each in told].count("snapshot") == 3
    assert open_ids == []


async def test_removing_a_person_by_the_window_takes_them_out_of_the_room(
    opened: Open, person: Callable[..., PersonProcess]
) -> None:
    async with opened() as shown, person("ada", "Ada") as ada, person("grace", "Grace") as grace:
        for each in (ada, grace):
            await each.join()
            await each.publish()
        await shown.rows("rows.length === 2", "both")
        # By the keyboard, whose place must not be lost with the row.
        await shown.page.evaluate("document.querySelector('[aria-label=\"Remove Ada\"]').focus()")
        await shown.page.press("Enter", 13, "\r")
        await shown.rows("rows.length === 1", "grace alone")
        assert await ada.gone == "PARTICIPANT_REMOVED"
        focused = await shown.page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused == "Remove Grace"


async def test_all_can_be_done_by_the_keyboard_and_has_a_name_for_a_screen_reader(
    opened: Open, person: Callable[..., PersonProcess]
) -> None:
    async with opened() as shown, person("ada", "Ada") as ada:
        page = shown.page
        await ada.join()
        await ada.publish()
        await shown.rows("rows.length === 1", "ada")
        await page.until(CONNECTED, "the agent in the room")
        reached = []
        for _ in range(4):
            await page.press("Tab", 9)
            reached.append(await page.evaluate(FOCUSED))
        assert reached == ["Remove Ada", "Your name", "Join the room", "This part of the app"]

        await page.send("Accessibility.enable")
        tree = (await page.send("Accessibility.getFullAXTree"))["nodes"]
        for node in tree:
            role = node.get("role", {}).get("value")
            if role in ("button", "textbox", "table") and not node.get("ignored"):
                assert node.get("name", {}).get("value"), node
        news = "document.getElementById('news').textContent"
        assert "Ada came" in await page.evaluate(news)

        # Enter in the name's field joins.
        await page.type("#name", "Max")
        await page.press("Enter", 13, "\r")
        await page.until("!document.getElementById('in-call').hidden", "the page in the room")
        assert await page.evaluate("document.activeElement.id") == "text"


FOCUSED = """(({activeElement: {labels, textContent}, activeElement}) =>
    activeElement.getAttribute('aria-label')
    || (labels && labels[0] ? labels[0].textContent : textContent).slice(0, 20)
)(document)"""
"""In the page: what a screen reader calls what has the focus; 20 characters of it."""

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
        category = await page.evaluate("document.getElementById('trouble-category').textContent")
        assert category == "unauthorized"
        assert await page.evaluate("document.getElementById('trouble-fix').textContent")
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


async def test_three_sessions_in_three_states_are_told_apart(
    opened: Open,
    server: DevServer,
    token: Callable[[str, str], str],
    person: Callable[..., PersonProcess],
    tmp_path: Path,
) -> None:
    """One who never got further than the websocket is overdue after 30 s, another not yet."""
    async with opened() as shown, person("ada-41", "Ada Lovelace") as ada:
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
                seen = await shown.page.evaluate(
                    """[...document.querySelectorAll('#rows tr')].map((row) => [
                        row.querySelector('.name').textContent,
                        row.querySelector('.state').textContent,
                        row.querySelector('td.number').textContent,
                    ]).sort()"""
                )
                assert seen == [
                    ["Ada Lovelace", "Connected", "2"],
                    ["Grace Hopper", "Not connecting", "0"],
                    ["Katherine Johnson", "Connecting", "0"],
                ]
                count = await shown.page.evaluate("document.getElementById('count').textContent")
                assert count == "3 people"
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
