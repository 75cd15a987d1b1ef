"""Framing and dispatch in this process: each request of a stream is answered exactly once.

Owns the case: a stream in chunks, through the splitter, the dispatcher, all methods and the
sidecar's own requests, held against answers.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from sidecar.core.contract.errors import ClientFailed, ShuttingDown
from sidecar.core.contract.messages import ClientCapabilities, TokenRequest
from sidecar.rpc.client_requests import ClientRequests
from sidecar.rpc.framing import LineSplitter, LineTooLong
from sidecar.rpc.jsonrpc import Dispatcher
from sidecar.rpc.methods import handlers
from tests.fuzz.answers import Answered, Unclear, answer_to, given, lines_of
from tests.fuzz.lines import Lines
from tests.rpc.asked import FakeAgent, FakeProcess

MAX_BYTES = 4_096
"""The limit of a line here, so that some are over it."""
LINES = 50
"""Of one case."""
ANSWERED_WITHIN_S = 20.0


class Failed(AssertionError):
    """A law did not hold; the text has the evidence."""


class BugLog(logging.Handler):
    """Keeps what the sidecar logs of its own bugs."""

    def __init__(self) -> None:
        """Keep errors and worse."""
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one that comes from an exception; other errors are news for a person."""
        if record.exc_info is not None:
            self.texts.append(logging.Formatter().format(record))

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Hear all of the sidecar meanwhile. Raises Failed when a bug was logged."""
        log = logging.getLogger("sidecar")
        log.addHandler(self)
        try:
            yield
        finally:
            log.removeHandler(self)
        if self.texts:
            raise Failed(f"the sidecar logged a bug: {self.texts[0]}")


async def play(chance: random.Random, lines: int = LINES) -> int:
    """Play one case of about so many *lines*; return their number.

    Raises:
        Failed: a request was not answered once, an answer is no JSON-RPC, or a bug was logged.
    """
    made = Lines(chance)
    return await feed(made.chunks(made.stream(lines)))


async def feed(chunks: Sequence[bytes]) -> int:
    """Feed *chunks* to a new splitter and dispatcher; return the number of lines. Raises Failed."""
    whole = b"".join(chunks)
    answers: list[bytes] = []
    asked: list[bytes] = []
    client = ClientRequests(asked.append, asyncio.timeout, str)
    client.offers(ClientCapabilities(get_token=True, resolve_proxy=True))
    agent = FakeAgent()
    methods = handlers(lambda: agent, FakeProcess(), client)
    dispatcher = Dispatcher(methods, answers.append, client.take_response)
    splitter = LineSplitter(MAX_BYTES)
    asking = asyncio.create_task(client.get_token(TokenRequest("agent", "room")))
    await asyncio.sleep(0)

    def take(line: bytes | LineTooLong) -> None:
        if isinstance(line, LineTooLong):
            dispatcher.refuse_long_line()
        else:
            dispatcher.receive(line)

    count = 0
    with BugLog().heard():
        for chunk in chunks:
            for line in splitter.feed(chunk):
                count += 1
                take(line)
        for line in splitter.end():
            count += 1
            take(line)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            await dispatcher.answered()
        client.end()
        with contextlib.suppress(ClientFailed, ShuttingDown):
            await asking
    compare(whole, answers, MAX_BYTES, has_ended=True)
    return count


def compare(stream: bytes, answers: Sequence[bytes], max_bytes: int, *, has_ended: bool) -> None:
    """Hold *answers* against what *stream* asks for. Raises Failed."""
    wanted: Counter[Answered] = Counter()
    unclear = 0
    asked: dict[Answered, bytes] = {}
    for line in lines_of(stream, max_bytes, has_ended=has_ended):
        try:
            answer = answer_to(line)
        except Unclear:
            unclear += 1
            continue
        if answer is not None:
            wanted[answer] += 1
            asked[answer] = line
    got: Counter[Answered] = Counter()
    for each in answers:
        if b"\n" in each:
            raise Failed(f"an answer has a line end in it: {each[:500]!r}")
        try:
            got[given(each)] += 1
        except (ValueError, TypeError, AttributeError) as error:
            raise Failed(f"{error}: {each[:500]!r}") from error
    missing, extra = wanted - got, got - wanted
    if missing or extra.total() > unclear:
        lines = [f"{key}: {asked[key][:500]!r}" for key in list(missing)[:3]]
        raise Failed(f"not answered: {lines}; not asked for: {list(extra)[:3]}")
