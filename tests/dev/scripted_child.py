"""A child for the tests of SidecarClient: speaks the framing, without anything behind it."""

from __future__ import annotations

import json
import signal
import sys


def say(message: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer by method name until stdin ends or `shutdown` is asked for."""
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("scripted child: ready 🎤", file=sys.stderr, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        number, method = request.get("id"), request["method"]
        if method == "fail":
            error = {"code": 1003, "message": "unknown session", "data": {"fix": "list them"}}
            say({"jsonrpc": "2.0", "id": number, "error": error})
        elif method == "tell":
            for seq in (1, 2):
                say({"jsonrpc": "2.0", "method": "told", "params": {"seq": seq}})
            say({"jsonrpc": "2.0", "id": number, "result": None})
        elif method == "stray":
            sys.stdout.write("not json\n")
            say({"jsonrpc": "2.0", "id": 999, "result": "nobody asked"})
            say({"jsonrpc": "2.0", "id": number, "result": None})
        elif method == "die":
            print("last words", file=sys.stderr, flush=True)
            sys.exit(7)
        elif method == "shutdown" and "stubborn" not in sys.argv:
            say({"jsonrpc": "2.0", "id": number, "result": None})
            return
        elif method not in ("silence", "shutdown"):
            say({"jsonrpc": "2.0", "id": number, "result": request.get("params")})
    while "stubborn" in sys.argv:
        signal.pause()


if __name__ == "__main__":
    main()
