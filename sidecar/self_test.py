"""Owns `--self-test`: checks that a build has all its parts. Uses no network.

Does not know how the parts work.
"""

from __future__ import annotations

import json
import sys

from sidecar import __version__


def run_self_test() -> int:
    """Run the checks and print each result. Return the exit code: 0 when all pass, else 1.

    Loads the native library and the client of the server API, and answers one `ping`.
    """
    checks = {"native library": _load_native, "livekit api": _load_api, "round trip": _round_trip}
    failed = False
    for name, check in checks.items():
        try:
            check()
        except Exception as error:
            failed = True
            sys.stdout.write(f"{name}: FAILED: {type(error).__name__}: {error}\n")
        else:
            sys.stdout.write(f"{name}: ok\n")
    verdict = "FAILED" if failed else "ok"
    sys.stdout.write(f"clara-voice-sidecar {__version__} self-test: {verdict}\n")
    sys.stdout.flush()
    from sidecar.rtc import native

    native.dispose()
    return 1 if failed else 0


def _load_native() -> None:
    from sidecar.rtc import native

    native.load()


def _load_api() -> None:
    from sidecar.rtc import livekit_api

    livekit_api.load()


def _round_trip() -> None:
    from sidecar.rpc.jsonrpc import Dispatcher

    answers: list[bytes] = []
    dispatcher = Dispatcher({"ping": lambda: "pong"}, answers.append)
    dispatcher.receive(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    if [json.loads(each) for each in answers] != [{"jsonrpc": "2.0", "id": 1, "result": "pong"}]:
        raise RuntimeError(f"ping was answered with {answers!r}")
