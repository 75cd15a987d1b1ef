"""The voice-session sidecar: a LiveKit agent that speaks JSON-RPC 2.0 over stdin and stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidecar.voice.plugin import Voice

__version__ = "0.1.0"
"""Must equal the bridge's version. A constant, because a frozen build has no package metadata."""


def main(arguments: Sequence[str] | None = None, *, voice: type[Voice] | None = None) -> int:
    """Run the sidecar's command line, with the voice plug-in *voice*; return the exit code.

    The entry of a program of your own: `sys.exit(main(voice=Echo))`. It takes the arguments of
    `python -m sidecar`. Serving ends the process and never returns.

    Raises:
        TypeError: *voice* is no plug-in; the message names the fix.
    """
    from sidecar.cli import main as run

    return run(arguments, voice=voice)
