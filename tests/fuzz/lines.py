"""Lines that a parent may write, by chance: good ones, bad ones, and good ones gone bad.

Owns the generator. Does not know what a line is to be answered with (answers.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from sidecar.core.contract.protocol import METHODS
from sidecar.core.contract.wire import fields_of
from tests.rpc.asked import VALID

TEXTS = (
    *("", "a", "2.0", "ä 🎤", "\u2028\u2029", "\x00", "\\", '"', "x" * 300, "session_1_anna"),
    *("system-resume", "sidecar-1", "sidecar-2", "lk.chat", "../../etc/passwd", "%s{}", "\ufeff"),
)
NUMBERS = (
    *(0, 1, -1, 1.5, -0.0, 1e300, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30),
    *(10**307, 600, 60, 1_000_000),
)
RAW: tuple[bytes, ...] = (
    *(
        b"",
        b" ",
        b"\r",
        b"\x00",
        b"null",
        b"true",
        b"5",
        b'"text"',
        b"{}",
        b"[]",
        b"[[]]",
        b"[1,2]",
    ),
    *(
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe",
        b"{'a':1}",
        b"Content-Length: 9",
    ),
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":' + b"9" * 400 + b',"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b"[" * 5000,
)
ROWS = {name: [each.wire_name for each in fields_of(row.params)] for name, row in METHODS.items()}
"""Each method, and the names of its params."""


class Lines:
    """line() for ever; each has no newline in it."""

    def __init__(
        self,
        chance: random.Random,
        without: Sequence[str] = (),
        more_names: Sequence[str] = (),
    ) -> None:
        """Draw from *chance*; name no method and no param of *without*.

        Values have members of the names *more_names*, too.
        """
        self._chance = chance
        self._names = (*TEXTS, *more_names)
        self._methods = [name for name in ROWS if name not in without]
        self._params = {
            name: [param for param in params if param not in without]
            for name, params in ROWS.items()
        }

    def line(self) -> bytes:
        """Make one line; half of them are well-formed requests."""
        kind = self._chance.randrange(16)
        if kind < 8:
            return self._encoded(self._request())
        if kind < 10:
            return self._encoded([self._member() for _ in range(self._chance.randrange(6))])
        if kind < 11:
            return self._encoded(self._member())
        if kind < 12:
            return self._chance.choice(RAW)
        if kind < 13:
            length = self._chance.randrange(40)
            return bytes(self._chance.getrandbits(8) for _ in range(length)).replace(b"\n", b"")
        return self._gone_bad(self._encoded(self._request()))

    def stream(self, count: int) -> bytes:
        """Make *count* lines, each with its line end, some of them `\\r\\n`."""
        return b"".join(
            self.line() + (b"\r\n" if self._chance.randrange(8) == 0 else b"\n")
            for _ in range(count)
        )

    def chunks(self, stream: bytes) -> list[bytes]:
        """Cut *stream* as pipes do: anywhere."""
        chunks, at = [], 0
        while at < len(stream):
            size = self._chance.choice((1, 2, 7, 64, 500, 4096, 65_536))
            chunks.append(stream[at : at + size])
            at += size
        return chunks

    def value(self, depth: int = 3) -> object:
        """Make any JSON value."""
        kind = self._chance.randrange(8 if depth else 6)
        if kind < 2:
            return self._chance.choice(TEXTS)
        if kind < 4:
            return self._chance.choice(NUMBERS)
        if kind < 6:
            return self._chance.choice((None, True, False))
        size = self._chance.randrange(4)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(size)]
        return {self._chance.choice(self._names): self.value(depth - 1) for _ in range(size)}

    def _request(self) -> dict[str, object]:
        method = self._chance.choice(self._methods)
        message: dict[str, object] = {"jsonrpc": "2.0", "method": method}
        if self._chance.randrange(8):
            message["id"] = self._id()
        if self._chance.randrange(3):
            message["params"] = self._params_of(method)
        return message

    def _params_of(self, method: str) -> object:
        if not self._chance.randrange(6):
            return self.value()
        params = dict(VALID.get(method, {}))
        for name in self._params[method]:
            if not self._chance.randrange(3):
                params[name] = self.value()
        return params

    def _id(self) -> object:
        kind = self._chance.randrange(4)
        if kind == 0:
            return self._chance.choice(NUMBERS)
        if kind == 1:
            return self._chance.choice(TEXTS)
        return self._chance.randrange(1_000_000)

    def _member(self) -> object:
        """Make a member of a batch: any message, or none."""
        kind = self._chance.randrange(8)
        if kind < 4:
            return self._request()
        if kind < 6:
            message = self._request()
            name = self._chance.choice(("jsonrpc", "method", "id", "params", "result", "error"))
            message[name] = self.value()
            return message
        if kind < 7:
            answer: dict[str, object] = {"jsonrpc": "2.0", "id": self._chance.choice(TEXTS)}
            answer[self._chance.choice(("result", "error"))] = self.value()
            return answer
        return self.value()

    def _gone_bad(self, line: bytes) -> bytes:
        """Change a byte or some, or cut, or double a part."""
        content = bytearray(line)
        for _ in range(1 + self._chance.randrange(3)):
            at = self._chance.randrange(len(content) + 1)
            kind = self._chance.randrange(4)
            if kind == 0:
                content[at : at + 1] = bytes([self._chance.getrandbits(8)])
            elif kind == 1:
                del content[at : at + self._chance.randrange(9)]
            elif kind == 2:
                content[at:at] = self._chance.choice(RAW[:20])
            else:
                content[at:at] = content[at : at + self._chance.randrange(30)]
        return bytes(content).replace(b"\n", b"")

    def _encoded(self, message: object) -> bytes:
        is_ascii = self._chance.randrange(2) == 0
        return json.dumps(message, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
