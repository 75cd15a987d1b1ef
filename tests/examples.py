"""Owns which examples the property tests run: `suite` by default, `long` for a search of minutes.

`suite` runs the same examples each time, so that a change fails by what it changes and not by
chance. To search for new ones: `uv run pytest tests/core --hypothesis-profile=long`, or
HYPOTHESIS_PROFILE=long anywhere. `--hypothesis-seed=N` repeats such a search.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

# No deadline, and no judgement of how fast an example is drawn: the machine may be busy.
# No database: the suite leaves no files behind.
settings.register_profile(
    "long",
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=5_000,
    stateful_step_count=120,
)
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    # Phase.explain is left out: it traces every line, and took most of the time of a failure.
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

# tests/mutants: that a law is broken is enough, whatever the shortest history is.
settings.register_profile(
    "mutants", settings.get_profile("suite"), phases=(Phase.explicit, Phase.generate)
)


def pytest_configure(config: pytest.Config) -> None:
    """Load the profile, unless the command line names one."""
    if not config.getoption("--hypothesis-profile", None):
        settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
