"""The commands for a release, run by a person or a workflow.

python -m sidecar.dev.release npm [dist/sidecar] [--out dist/npm]
python -m sidecar.dev.release version 0.2.0
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from sidecar.dev.release.components import REPOSITORY
from sidecar.dev.release.npm import NotPacked, packed_bridge, packed_sidecar
from sidecar.dev.release.version import NotChanged, change_version
from sidecar.dev.toolchain import ToolMissing


def main(arguments: list[str]) -> int:
    """Run the command in the arguments. Give the exit code: 0, or 1 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m sidecar.dev.release")
    commands = parser.add_subparsers(dest="command", required=True)
    npm = commands.add_parser("npm", help="pack a frozen folder, and the bridge, for npm")
    npm.add_argument("frozen", nargs="?", type=Path, default=Path("dist/sidecar"))
    npm.add_argument("--out", type=Path, default=Path("dist/npm"))
    version = commands.add_parser("version", help="write a version into all its places")
    version.add_argument("version")
    given = parser.parse_args(arguments)
    try:
        if given.command == "npm":
            for packed in (packed_sidecar(given.frozen, given.out), packed_bridge(given.out)):
                print(packed)
        else:
            for changed in change_version(REPOSITORY, given.version, date.today()):
                print(f"changed: {changed}")
    except (NotChanged, NotPacked, ToolMissing, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
