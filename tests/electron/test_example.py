"""The example app in a real Electron, its page joined by livekit-client, on a real server.

Its user is a person at the window: what is asked for is asked for by its buttons, and what is
seen is read from its page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from tests.electron.electron_app import sidecar_of
from tests.electron.example_window import CONNECTED, Open, Window
from tests.electron.token_endpoint import token_endpoint


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
        muted = "document.getElementById('call-words').textContent === 'You are muted.'"
        await page.until(muted, "the microphone, muted")

        await page.click("#leave")
        await shown.rows("rows.length === 0", "no row")
        assert (await page.evaluate("clara.listSessions()"))["sessions"] == []
        cleaned = f"🧹 Cleaning up session {session['sessionId']}"
        await shown.app.line(lambda line: line == cleaned, "the cleanup")
        await shown.app.line(lambda line: line == "Sessions: []", "no session in the main process")


@pytest.mark.full
async def test_captions_show_the_words_of_both_sides_as_text_until_the_person_leaves(
    opened: Open, guest: Callable[..., PersonProcess]
) -> None:
    lines = "[...document.querySelectorAll('#captions li')]"
    texts = f"{lines}.map((each) => [...each.children].map((part) => part.textContent))"
    shown_words = json.dumps(
        [["Ada", "<b>What time is it?"], ["Clara to Ada", "It is"]], separators=(",", ":")
    )
    program = Path(__file__).parent / "fixtures" / "captions.py"
    async with opened(VOICE_PROGRAM=str(program)) as shown, guest("ada", "Ada") as ada:
        await shown.page.until(CONNECTED, "the agent in the room")
        await ada.join()
        await ada.publish()
        await shown.page.until(f"JSON.stringify({texts}) === {json.dumps(shown_words)}", "both")
        finals = f"{lines}.map((each) => each.dataset.final).join()"
        assert await shown.page.evaluate(finals) == "true,false"
        await ada.leave()
        await shown.page.until("document.getElementById('captions').hidden", "no captions")


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


@pytest.mark.full
async def test_an_app_without_a_secret_joins_by_its_token_endpoint_and_offers_no_removal(
    opened: Open,
    node: Path,
    livekit_client: Path,
    server: DevServer,
    room: str,
    guest: Callable[..., PersonProcess],
) -> None:
    async with (
        token_endpoint(node, livekit_client, server, room) as url,
        guest("ada", "Ada") as ada,
    ):
        secretless = {"TOKEN_URL": url, "LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": ""}
        async with opened(**secretless) as shown:
            await join_by_the_window(shown, "Max")
            await ada.join()
            await ada.publish()
            await shown.rows("rows.length === 2", "both")
            offered = "document.querySelectorAll('#rows button:not([hidden])').length"
            assert await shown.page.evaluate(offered) == 0
            await shown.page.click("#leave")
            await shown.rows("rows.length === 1", "ada alone")


@pytest.mark.full
async def test_a_reload_keeps_the_sidecar_and_the_page_goes_on_without_gap_or_double(
    opened: Open, guest: Callable[..., PersonProcess]
) -> None:
    async with opened() as shown, guest("ada") as ada, guest("grace") as grace:
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


@pytest.mark.full
async def test_removing_a_person_by_the_window_takes_them_out_of_the_room(
    opened: Open, guest: Callable[..., PersonProcess]
) -> None:
    async with opened() as shown, guest("ada", "Ada") as ada, guest("grace", "Grace") as grace:
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


@pytest.mark.full
async def test_all_can_be_done_by_the_keyboard_and_has_a_name_for_a_screen_reader(
    opened: Open, guest: Callable[..., PersonProcess]
) -> None:
    async with opened() as shown, guest("ada", "Ada") as ada:
        page = shown.page
        await ada.join()
        await ada.publish()
        await shown.rows("rows.length === 1", "ada")
        await page.until(CONNECTED, "the agent in the room")
        reached = []
        for _ in range(4):
            await page.press("Tab", 9)
            reached.append(await page.evaluate(FOCUSED))
        assert reached == ["Your name", "Join the room", "Remove Ada", "Notes"]

        await page.send("Accessibility.enable")
        tree = (await page.send("Accessibility.getFullAXTree"))["nodes"]
        for node in tree:
            role = node.get("role", {}).get("value")
            if role in ("button", "textbox", "table") and not node.get("ignored"):
                assert node.get("name", {}).get("value"), node
        news = "document.getElementById('news').textContent"
        assert "Ada joined" in await page.evaluate(news)

        # Enter in the name's field joins.
        await page.type("#name", "Max")
        await page.press("Enter", 13, "\r")
        await page.until("!document.getElementById('in-call').hidden", "the page in the room")
        assert await page.evaluate("document.activeElement.id") == "mute"


FOCUSED = """(({activeElement: {labels, textContent}, activeElement}) =>
    activeElement.getAttribute('aria-label')
    || (activeElement.id === 'notes' && 'Notes')
    || (labels && labels[0] ? labels[0].textContent : textContent).slice(0, 20)
)(document)"""
"""In the page: what a screen reader calls what has the focus; 20 characters of it."""
