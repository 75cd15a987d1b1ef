"""What a real Electron needs of the system: its libraries, and a display for its windows.

Owns an X server of its own on Linux. Says what is missing, and what to install.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

ENDS_WITHIN_S = 20.0
LIBRARIES_OF_ELECTRON = ("libgtk-3.so.0", "libnss3.so", "libasound.so.2", "libgbm.so.1")
"""What it is linked with and Debian's packages of these names bring, with all they need."""
PACKAGES_OF_ELECTRON = "xvfb libgtk-3-0 libnss3 libasound2 libgbm1"


def why_no_electron() -> str | None:
    """Give the reason and the cure when no Electron can start here, else None."""
    if sys.platform != "linux":
        return None
    lacking = [each for each in LIBRARIES_OF_ELECTRON if not _loads(each)]
    return f"no {', '.join(lacking)}; apt-get install {PACKAGES_OF_ELECTRON}" if lacking else None


def why_no_display() -> str | None:
    """Give the reason and the cure when there can be no display here, else None."""
    if sys.platform != "linux":  # not run
        return "the tests find the sidecar's processes in Linux's /proc"
    return None if shutil.which("Xvfb") else f"no Xvfb; apt-get install {PACKAGES_OF_ELECTRON}"


@contextlib.contextmanager
def display() -> Iterator[str]:
    """Give the name of a display that lasts as long as the block."""
    # Not xvfb-run: it hides Electron's pid.
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [
            str(shutil.which("Xvfb")),
            "-displayfd",
            str(write_end),
            "-screen",
            "0",
            "1280x900x24",
            "-nolisten",
            "tcp",
        ],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answers:
            number = answers.readline().strip()  # the pipe's end when Xvfb fails
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(ENDS_WITHIN_S)


def _loads(library: str) -> bool:
    """Tell whether the system can load it, before 70 MB of Electron are had."""
    load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    command = [sys.executable, "-c", load, library]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
