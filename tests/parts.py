"""The real parts a test needs, and the account of those that were not there.

Owns the one way to say "this cannot run here". Call `require(name, why_not)` instead of
pytest.skip: the suite's last lines then name the part, and SIDECAR_REQUIRE_ALL=1 makes its
absence a failure.
"""

from __future__ import annotations

import os

import pytest

REQUIRE_ALL = os.environ.get("SIDECAR_REQUIRE_ALL") == "1"

ran: dict[str, None] = {}
"""The parts that were there, in the order of their first use."""
not_run: dict[str, str] = {}
"""The parts that were not: their names with the reason and the cure."""


def require(name: str, why_not: str | None) -> None:
    """Go on when `why_not` is None; else skip the test, or fail it under SIDECAR_REQUIRE_ALL=1.

    `why_not` is one phrase with the reason and the cure: "no Xvfb; apt-get install xvfb".
    """
    if why_not is None:
        ran[name] = None
        return
    not_run[name] = why_not
    if REQUIRE_ALL:
        pytest.fail(f"{name} cannot run here, and SIDECAR_REQUIRE_ALL=1: {why_not}", pytrace=False)
    pytest.skip(f"{name}: {why_not}")


def account(left_out: int) -> list[str]:
    """Give the suite's last lines: what ran, and, a line each, what did not and why."""
    lines = [f"ran: {', '.join(ran)}"] if ran else []
    lines += [f"not run: {name} ({_on_one_line(why)})" for name, why in not_run.items()]
    if left_out:
        lines.append(f"not run: {left_out} rows of --full (pytest --full)")
    return lines


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
