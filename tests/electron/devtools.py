"""A page of a Chromium or an Electron, driven from outside over the DevTools protocol.

Owns the connection to one page. Knows nothing of what the page shows. The protocol's words:
https://chromedevtools.github.io/devtools-protocol/tot/.
"""

from __future__ import annotations

import asyncio
import base64
import json
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp

ANSWER_TIMEOUT_S = 60.0
"""For one answer of a page, and for what `until` waits for: all is slow on a busy machine."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A screenshot comes as one message."""
ADDRESS_WORDS = "DevTools listening on "
"""What Chromium says on stderr before the address of its DevTools."""


class PageFailure(AssertionError):
    """The page threw, or does not come to what was waited for."""


async def pages_of(address: str) -> list[dict[str, str]]:
    """List the pages of the Chromium whose DevTools listen at `address` (ws://...)."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{urlsplit(address).netloc}/json/list") as answer,
    ):
        return [each for each in await answer.json() if each["type"] == "page"]


class Page:
    """`async with Page(url) as page`, where the url is a page's `webSocketDebuggerUrl`."""

    def __init__(self, url: str) -> None:
        """Prepare."""
        self._url = url
        self._next_id = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[str, list[asyncio.Future[None]]] = {}
        self.console: list[str] = []
        """What the page said on its console, and what it threw where nobody caught it."""

    async def __aenter__(self) -> Page:
        """Connect."""
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(self._url, max_msg_size=MAX_MESSAGE_BYTES)
        self._reading = asyncio.create_task(self._read())
        await self.send("Runtime.enable")
        await self.send("Page.enable")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect; the page goes on."""
        await self._socket.close()
        await self._reading
        await self._http.close()

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method of the protocol and give its result."""
        self._next_id += 1
        number = self._next_id
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            answer = await self._answers[number]
        if "error" in answer:
            raise PageFailure(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """Give what an expression comes to in the page, as JSON; a promise is waited for."""
        result = await self.send(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in result:
            raise PageFailure(f"{expression}\nthrew: {json.dumps(result['exceptionDetails'])}")
        return result["result"].get("value")

    async def until(self, condition: str, what: str) -> None:
        """Wait until a condition holds in the page."""
        waiting = f"""new Promise((resolve) => {{
            const look = () => (({condition}) ? resolve() : setTimeout(look, 20));
            look();
        }})"""
        try:
            await self.evaluate(waiting)
        except TimeoutError:
            shown = await self.evaluate("document.body.innerText")
            raise PageFailure(f"{what}\nshown:\n{shown}\nconsole: {self.console}") from None

    async def click(self, selector: str) -> None:
        """Click an element, as its user does."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    async def type(self, selector: str, text: str) -> None:
        """Put the focus into a field and type."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key; `code` is its Windows virtual key code."""
        key_event = {"key": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **key_event)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **key_event)

    async def reload(self) -> None:
        """Reload the page, and wait until it has loaded."""
        loaded = self._event("Page.loadEventFired")
        await self.send("Page.reload")
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await loaded

    async def before_each_document(self, script: str) -> None:
        """Run a script ahead of the page's own from the next load on."""
        await self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def screenshot(self) -> bytes:
        """Give what is seen, as PNG."""
        result = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(result["data"])

    def _event(self, name: str) -> asyncio.Future[None]:
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._events.setdefault(name, []).append(happened)
        return happened

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if not answer.done():
                    answer.set_result(told)
                continue
            for happened in self._events.pop(told["method"], []):
                if not happened.done():
                    happened.set_result(None)
            if told["method"] == "Runtime.consoleAPICalled":
                words = [
                    str(each.get("value", each.get("description")))
                    for each in told["params"]["args"]
                ]
                self.console.append(" ".join(words))
            if told["method"] == "Runtime.exceptionThrown":
                self.console.append(json.dumps(told["params"]["exceptionDetails"]))
        gone = {"error": "the page is gone"}
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(gone)
