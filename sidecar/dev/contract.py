"""Makes the files generated from the contract: `--write` writes them, `--check` names stale files.

Owns the list of these files. core/contract/protocol.py has the contract itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sidecar.dev import contract_docs, contract_js, contract_troubleshooting

ROOT = Path(__file__).resolve().parents[2]

FILES: dict[str, Callable[[], str]] = {
    "docs/openrpc.json": contract_docs.openrpc_json,
    "docs/behaviour.md": contract_docs.behaviour_md,
    "docs/protocol.md": contract_docs.protocol_md,
    "docs/troubleshooting.md": contract_troubleshooting.troubleshooting_md,
    "electron-bridge/lib/protocol.cjs": contract_js.protocol_cjs,
    "electron-bridge/protocol.d.ts": contract_js.protocol_d_ts,
}
"""Each generated file, and the function that makes its text."""


def stale(root: Path = ROOT) -> list[str]:
    """Return the generated files under *root* whose text differs from the contract."""
    return [name for name, text in FILES.items() if _read(root / name) != text()]


def write(root: Path = ROOT) -> list[str]:
    """Write the stale files under *root*; return their names."""
    names = stale(root)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name](), encoding="utf-8", newline="\n")
    return names


def main(arguments: Sequence[str]) -> int:
    """Check or write the files. Return 1 when the check finds stale files, else 0."""
    parser = argparse.ArgumentParser(prog="python -m sidecar.dev.contract", description=__doc__)
    act = parser.add_mutually_exclusive_group(required=True)
    act.add_argument("--write", action="store_true", help="write the generated files")
    act.add_argument("--check", action="store_true", help="tell which are stale")
    options = parser.parse_args(arguments)
    if options.write:
        for name in write():
            print(f"written: {name}")
        return 0
    names = stale()
    for name in names:
        print(f"stale: {name}; run `python -m sidecar.dev.contract --write`")
    return 1 if names else 0


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
