"""Makes docs/troubleshooting.md: symptom, cause and fix of every error a user can meet.

Owns the fixes of errors with a different message in each case. Failure categories, RPC errors and
the bridge's codes come from their tables; a code without a row here, or a row without a code, is
an error of the generator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from sidecar.core.contract.errors import ErrorCode
from sidecar.core.contract.failures import Category, failure
from sidecar.core.contract.protocol import ERRORS
from sidecar.dev.contract_docs import GENERATED, table

Key = TypeVar("Key")

BRIDGE_TYPES = Path(__file__).resolve().parents[2] / "electron-bridge" / "index.d.ts"
"""Holds SidecarErrorCode, with what each code means."""

RPC_FIXES: dict[ErrorCode, str] = {
    ErrorCode.PARSE_ERROR: "Send one JSON object or batch per line, in UTF-8.",
    ErrorCode.INVALID_REQUEST: (
        "Send `jsonrpc`, `method` and `id`, in at most 16 MiB per line. Send `initialize` once, and"
        " `resume` before the first session."
    ),
    ErrorCode.METHOD_NOT_FOUND: "Use a name of docs/protocol.md, or ask `rpc.discover`.",
    ErrorCode.INVALID_PARAMS: "Read `data.fix`: it names the param and its allowed values.",
    ErrorCode.INTERNAL_ERROR: "Report it, with the traceback of the sidecar's log.",
    ErrorCode.NOT_CONNECTED: "Send `connect` again.",
    ErrorCode.CONNECT_FAILED: (
        "Look up `data.category` in the table above. With `retryable` the agent tries again by"
        " itself."
    ),
    ErrorCode.UNKNOWN_SESSION: "Take ids from `listSessions`; a closed session has none any more.",
    ErrorCode.API_CALL_FAILED: (
        "Read `message`: it names the call and the server's answer. `diagnose` checks url,"
        " credentials and the server's API."
    ),
    ErrorCode.SHUTTING_DOWN: "Start a new sidecar, then send the request again.",
    ErrorCode.NOT_ALLOWED: (
        "Connect with apiKey and apiSecret; or let your own server make the page's token and remove"
        " the participant."
    ),
    ErrorCode.IDENTITY_PRESENT: (
        "Choose another identity, or none. If the person is to move to this page, let the app pass"
        " `replace: true`. A participant whose app crashed is gone after about 20 s."
    ),
    ErrorCode.OTHER_ROOM: "Send `disconnect` first, or pass `switch: true`.",
}

BRIDGE_FIXES: dict[str, str] = {
    "SIDECAR_MISSING": (
        "In development run `uv sync` in the checkout and set `SIDECAR_PYTHON`, or give `command`."
        " In a packaged app ship the folder as the extra resource `sidecar`: docs/packaging.md."
    ),
    "REMOVED": "Restore it in the antivirus program and allow it, or install the app again.",
    "BLOCKED": (
        "Check the run bit, the folder's rights and the antivirus program or policy, and that the"
        " system is not out of processes, files or memory."
    ),
    "WRONG_ARCH": "Build the sidecar on the system and processor that the app is shipped for.",
    "BAD_CWD": "Create the folder, or give another as `cwd`.",
    "START_TIMEOUT": (
        "Read `stderrTail`. A first run under an antivirus program can take long: give a longer"
        " `startTimeoutMs`."
    ),
    "VERSION_MISMATCH": "Build and ship bridge and sidecar of one release.",
    "EXITED": (
        "Read `stderrTail` and the exit codes below. Once a `start()` has succeeded, the bridge"
        " starts it again by itself."
    ),
    "CRASH_LOOP": "Find the cause in `cause` and the log, then call `start()`.",
    "STOPPED": "Call `start()`; after `dispose()` make a new one with `createSidecar()`.",
    "BUSY": (
        "Wait for earlier answers before sending more. For the lock: quit the second instance of"
        " the app."
    ),
    "TIMEOUT": "Give a longer `timeoutMs`; when it happens again, look into the sidecar's log.",
    "ABORTED": "Nothing: the app aborted the request itself.",
    "NOT_READY": "Wait for `process-state` to be `ready`, or call `start()`.",
}

PAGE_ERRORS: dict[str, tuple[str, str]] = {
    "DENIED": (
        "The page, or a frame in it, may not call the sidecar.",
        "Load the page from the app's own files, or name its origin in `allowedOrigins`; call from"
        " the main frame.",
    ),
    "INVALID_ARGUMENT": (
        "The page gave an argument that the call does not take.",
        "Read `message`: it names the argument.",
    ),
    "NO_SIDECAR": (
        "The main process has made no sidecar, or gave it no `ipcMain`.",
        "Call `createSidecar()` with `electron: { app, ipcMain }` before the page loads.",
    ),
    "UNEXPECTED": (
        "The app's own code failed, `getToken` for one.",
        "Read `message`: it has the error of that code.",
    ),
}

EXIT_CODES: dict[int, tuple[str, str]] = {
    0: ("It was asked to end: `shutdown`, the end of stdin, or a signal.", "Nothing."),
    1: ("It failed.", "Read the last lines of its log; report a traceback."),
    2: (
        "The command line or the configuration is wrong.",
        "Correct what the one sentence on stderr names; `--help` lists the options.",
    ),
    70: (
        "A panic of the native library, a loop that was stuck for 30 s, or a parent that did not"
        " read 64 MiB.",
        "Read stdout all the time; report a panic with its lines on stderr.",
    ),
}
"""The exit codes of the sidecar; 70 is EX_SOFTWARE of sysexits.h."""


def troubleshooting_md() -> str:
    """Return docs/troubleshooting.md: all errors, by the place where a user sees them."""
    head = ("symptom", "cause", "fix")
    return "\n".join(
        [
            "# Troubleshooting",
            "",
            f"<!-- {GENERATED} -->",
            "",
            "Find what you see in the first column. `diagnose` (method or command) runs all checks",
            "and says what keeps the agent out of its room.",
            "",
            "## The agent cannot join its room",
            "",
            "The log says `Critical: ClaraVoiceAgent failed to connect to the LiveKit server.`",
            "once per series of failures. The next line begins with the category;",
            "`agent-state-changed` has it as `error.category`, `getStatus` as `lastError`.",
            "",
            *table(
                (*head, "tried again by itself"),
                (
                    (f"`{each}`", found.detail, found.fix, "yes" if found.retryable else "no")
                    for each in Category
                    for found in (failure(each, "the url"),)
                ),
            ),
            "",
            "## A request is answered with an error",
            "",
            "`data.fix` of the error says what to do in this case.",
            "",
            *table(
                head,
                (
                    (f"`{int(code)}`", ERRORS[code], fix)
                    for code, fix in _complete(RPC_FIXES, list(ERRORS)).items()
                ),
            ),
            "",
            "## The bridge throws a SidecarError",
            "",
            "`code` is one of these; the message says what to do in this case.",
            "",
            *table(
                head,
                (
                    (f"`{code}`", bridge_codes()[code], fix)
                    for code, fix in _complete(BRIDGE_FIXES, list(bridge_codes())).items()
                ),
            ),
            "",
            "## A call of `window.clara` rejects",
            "",
            "Its `code` is a number or a code from above, or one of these.",
            "",
            *table(head, ((f"`{code}`", *why) for code, why in PAGE_ERRORS.items())),
            "",
            "## The sidecar's process ends",
            "",
            *table(
                ("exit code", *head[1:]), ((f"`{code}`", *why) for code, why in EXIT_CODES.items())
            ),
            "",
        ]
    )


def bridge_codes() -> dict[str, str]:
    """Read the codes of the bridge's SidecarError, each with its meaning."""
    text = BRIDGE_TYPES.read_text(encoding="utf-8")
    (union,) = re.findall(r"type SidecarErrorCode =(.*?');", text, re.S)
    found = re.findall(r"/\*\*[\s*]*(.*?)\s*\*/\s*\|?\s*'(\w+)'", union, re.S)
    return {code: re.sub(r"\s*\n\s*\*\s*", " ", meaning) for meaning, code in found}


def _complete(fixes: Mapping[Key, str], codes: list[Key]) -> Mapping[Key, str]:
    if set(fixes) != set(codes):
        raise ValueError(f"give each code a fix, and no other: {set(fixes) ^ set(codes)}")
    return {code: fixes[code] for code in codes}
