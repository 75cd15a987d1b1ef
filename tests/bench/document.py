"""Puts what the benches measured into docs/delays.md.

Owns the parts of that page that are between marks.
"""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "delays.md"


def write_between(document: Path, name: str, lines: str) -> None:
    """Put *lines* between the marks of *name*. Raises ValueError where those are not there."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{document} has no place for {name}")
    document.write_text(f"{before}{begin}{lines}\n{end}{after}", encoding="utf-8")
