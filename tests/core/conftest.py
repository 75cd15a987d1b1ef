"""Owns how long the property tests run: `suite` by default, `long` for a search of minutes.

`uv run pytest tests/core --hypothesis-profile=long`, or HYPOTHESIS_PROFILE=long anywhere.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, settings

# No deadline: nothing here is timed. No database: the suite leaves no files behind.
settings.register_profile("suite", deadline=None, database=None)
settings.register_profile(
    "long", deadline=None, database=None, max_examples=5_000, stateful_step_count=120
)

# tests/mutants: that a law is broken is enough, whatever the shortest history is.
settings.register_profile(
    "mutants", deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
)


def pytest_configure(config: pytest.Config) -> None:
    """Load the profile, unless the command line names one."""
    if not config.getoption("--hypothesis-profile", None):
        settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
