"""The third-party notices: the licence texts of all that is frozen in, as one text."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.dev.release.components import OURS, Component

LINE = "=" * 80

HEAD = """\
THIRD-PARTY NOTICES

The program `sidecar` and the files in `_internal/` hold the software of others. This file lists it,
with its licences. `LICENSE` is the licence of the sidecar itself. `sbom.cdx.json` has the same list
with the SHA-256 of each file. `python -m sidecar.dev.release` made both from what was frozen in.
"""


def notices(components: Sequence[Component]) -> str:
    """Give the text of THIRD-PARTY-NOTICES.txt."""
    others = [each for each in components if each.name != OURS]
    lines = [HEAD, *(f"  {_titled(each)}" for each in others), ""]
    printed: dict[str, str] = {}
    for each in others:
        lines += ["", LINE, _titled(each)]
        if each.homepage:
            lines.append(f"Source: {each.homepage}")
        files = sorted(part.name for part in each.frozen if part.in_folder)
        if files:
            lines.append(f"Files: {', '.join(files)}")
        for name, text in each.texts.items():
            lines += [LINE, f"[{name}]", ""]
            first = printed.setdefault(text, f"[{name}] of {each.name}")
            is_first = first == f"[{name}] of {each.name}"
            lines.append(text.strip("\n") if is_first else f"This text is {first}, above.")
        if not each.texts:
            lines += [LINE, "No licence text was found on the machine that built this."]
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n"


def _titled(component: Component) -> str:
    licence = component.licence or "see its texts"
    return f"{component.name} {component.version}, licence: {licence}"
