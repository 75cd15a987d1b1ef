"""A real livekit-server for development and tests: its configuration and its process.

Owns one server on loopback with keys, ports and STUN list of its own, so that it never
speaks to another machine. Does not know the sidecar.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.dev import freezing
from sidecar.dev.server_build import Progress, find_server
from sidecar.rtc.interfaces import has_interface_beside_loopback

READY_TIMEOUT_S = 15.0
"""From spawn to `GET /` answering 200; 0.06 to 0.17 s were measured."""
START_ATTEMPTS = 5
"""Attempts with new ports: another process may take a free port before the server starts."""
TERM_TIMEOUT_S = 1.0
"""An empty server ends 0.02 s after SIGTERM; one with members drains for ever."""
FORCE_TIMEOUT_S = 3.0
"""After the second SIGTERM, which makes the server end at once (0.06 s measured)."""
KILL_TIMEOUT_S = 5.0
POLL_S = 0.02


class ServerFailed(RuntimeError):
    """The server did not come up or did not end; the message holds the cause and the fix."""


@dataclass(frozen=True)
class Ports:
    """Ports on 127.0.0.1: `http` for signalling and API, `udp` for media.

    `tcp` is for media over TCP, which FORCE_TCP needs. None: no media over TCP, since the server
    listens for it on every interface.
    """

    http: int
    udp: int
    tcp: int | None = None

    @classmethod
    def free(cls, *, with_tcp: bool = False) -> Ports:
        """Pick ports that are free now."""
        return cls(
            http=_free_port(socket.SOCK_STREAM),
            udp=_free_port(socket.SOCK_DGRAM),
            tcp=_free_port(socket.SOCK_STREAM) if with_tcp else None,
        )


@dataclass(eq=False)
class DevServer:
    """One livekit-server; `async with DevServer() as server`, or start() and stop() by hand.

    It can be killed and started again at the same address with the same keys. Give `ports`,
    `api_key` and `api_secret` to have two objects stand for one address. Timeouts are whole
    seconds, as the server takes them. `log_path` keeps the server's log; without it the log is
    a temporary file that goes with the object.

    The object is bound to no event loop. The server never outlives its parent: on Linux it is
    started through util-linux's `setpriv --pdeathsig KILL`, which is gone after its exec; there
    the *thread* that called start() counts as the parent, so start it from a thread that lives
    as long as the server should. Elsewhere an atexit handler kills it, which does not run when
    the parent itself is killed.
    """

    binary: Path | None = None
    ports: Ports | None = None
    api_key: str = field(default_factory=lambda: f"dev{secrets.token_hex(6)}")
    api_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    empty_timeout_s: int = 300
    departure_timeout_s: int = 20
    auto_create: bool = True
    webhook_url: str | None = None
    ice_tcp: bool = False
    log_path: Path | None = None
    progress: Progress = field(default=lambda line: None, repr=False)
    _chosen: Ports = field(init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None, repr=False)
    _log: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.api_secret) < 32:
            raise ValueError("api_secret has under 32 characters, which the server refuses")
        self._chosen = self.ports or Ports.free(with_tcp=self.ice_tcp)
        if self.log_path is not None:
            self._log = self.log_path
        else:
            descriptor, name = tempfile.mkstemp(prefix="livekit-server-", suffix=".log")
            os.close(descriptor)
            self._log = Path(name)
            atexit.register(self._log.unlink, missing_ok=True)

    @property
    def url(self) -> str:
        """The address for clients, `ws://127.0.0.1:port`.

        Known before start(), and final after it: without `ports` a clash picks others.
        """
        return f"ws://127.0.0.1:{self._chosen.http}"

    @property
    def pid(self) -> int:
        """The process id; ServerFailed when the server does not run."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the process is there (frozen counts as there)."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The server's log since the last start, without our secret."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return text.replace(self.api_secret, "***")

    async def start(self) -> None:
        """Start the server and wait until it answers, at most READY_TIMEOUT_S.

        Raises ServerMissing (no binary and none can be built) and ServerFailed. Nothing when
        it runs already.
        """
        if self.alive:
            return
        if not has_interface_beside_loopback():
            raise ServerFailed(
                "No network interface besides loopback is up, and LiveKit's clients find no path "
                "to a server on such a machine (they fail after 60 s). Fix: bring up any other "
                "interface with an address; it needs no route (Linux: `ip link add dummy0 type "
                "dummy && ip addr add 192.0.2.1/32 dev dummy0 && ip link set dummy0 up`)."
            )
        if self.binary is None:
            self.binary = await find_server(self.progress)
        for attempt in range(1, START_ATTEMPTS + 1):
            process = self._process = self._spawn(self.binary)
            try:
                await self._wait_until_ready(process)
                return
            except BaseException as error:
                await self.kill()
                clash = "address already in use" in self.log
                if not (isinstance(error, ServerFailed) and clash) or attempt == START_ATTEMPTS:
                    raise
            if self.ports is None:
                self._chosen = Ports.free(with_tcp=self.ice_tcp)
            else:
                await asyncio.sleep(0.2)  # the last server's sockets may still be closing

    async def stop(self) -> None:
        """End the server: SIGTERM, after 1 s a second one, after 3 s SIGKILL; thaws it first.

        At the second SIGTERM it tells its members SERVER_SHUTDOWN, and is gone before they heard
        it in about one case of fourteen (3 of 40); those reconnect. Nothing when it is gone.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return
        freezing.thaw(process.pid)  # a child that ended since is still there until it is polled
        for timeout_s in (TERM_TIMEOUT_S, FORCE_TIMEOUT_S):
            process.terminate()
            if await _ended(process, timeout_s):
                return
        await self.kill()

    async def wait(self) -> int:
        """Wait until the process ends, however long; give its status, negative for a signal."""
        process = self._process or self._running()
        while not await _ended(process, 1.0):
            pass
        return process.returncode

    def terminate(self) -> None:
        """Send one SIGTERM: the server drains until its last member has left, if ever."""
        self._running().terminate()

    async def kill(self) -> None:
        """End the server at once, as a crash would (SIGKILL). Nothing when it is gone."""
        process = self._process
        if process is None:
            return
        process.kill()
        if not await _ended(process, KILL_TIMEOUT_S):
            raise ServerFailed(f"livekit-server (pid {process.pid}) did not end on SIGKILL")

    def freeze(self) -> None:
        """Freeze the process (SIGSTOP), like a hung server. Not on Windows."""
        freezing.freeze(self.pid)

    def thaw(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        freezing.thaw(self.pid)

    async def __aenter__(self) -> DevServer:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        try:
            await self.stop()
        finally:
            if self._process is not None:
                self._process.kill()  # when stop() was cancelled

    def configuration(self) -> dict[str, object]:
        """Give the server's configuration; as JSON it is the YAML that the server reads."""
        rtc: dict[str, object] = {
            "udp_port": self._chosen.udp,
            "tcp_port": self._chosen.tcp or 0,
            "node_ip": "127.0.0.1",
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            # Without a list of our own, clients are told to ask public STUN servers.
            "stun_servers": ["127.0.0.1:3478"],
        }
        loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
        if loopback is not None:
            rtc["interfaces"] = {"includes": [loopback]}
        given: dict[str, object] = {
            "port": self._chosen.http,
            "bind_addresses": ["127.0.0.1"],
            "keys": {self.api_key: self.api_secret},
            "rtc": rtc,
            "room": {
                "auto_create": self.auto_create,
                "empty_timeout": self.empty_timeout_s,
                "departure_timeout": self.departure_timeout_s,
            },
        }
        if self.webhook_url is not None:
            given["webhook"] = {"api_key": self.api_key, "urls": [self.webhook_url]}
        return given

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        command = [str(binary)]
        if sys.platform == "linux" and (setpriv := shutil.which("setpriv")):
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with self._log.open("wb") as output:
            process = subprocess.Popen(
                command,
                # The configuration holds the secret: in argv every user could read it. What
                # else the server would read from the environment (REDIS_HOST, NODE_IP,
                # LIVEKIT_*) is kept from it.
                env={
                    **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                    "LIVEKIT_CONFIG": json.dumps(self.configuration()),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform
                != "win32",  # Ctrl-C must not reach the server: we stop it
            )
        atexit.register(process.kill)
        return process

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerFailed(
                    f"livekit-server ended at its start with status {process.returncode}. "
                    f"Its last words:\n{self.log[-1500:]}"
                )
            # The log line shows that this server has the port: another server may answer there.
            if "starting LiveKit server" in self.log and await answers_200(self._chosen.http):
                return
            await asyncio.sleep(POLL_S)
        raise ServerFailed(
            f"livekit-server did not answer on port {self._chosen.http} within "
            f"{READY_TIMEOUT_S:.0f} s. Its last words:\n{self.log[-1500:]}"
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise ServerFailed("this DevServer does not run; start() it first")
        return self._process


_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP")


async def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while process.poll() is None:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


async def answers_200(port: int) -> bool:
    """Tell whether `GET /` on 127.0.0.1 says 200 within 1 s.

    By hand, since urllib would ask a proxy.
    """
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                status = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return b" 200 " in status


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
