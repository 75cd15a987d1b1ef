"""A minute of random people and random faults breaks no promise.

Alone: `uv run pytest tests/soak/test_soak.py`. Longer, and with other seeds:
`uv run python -m tests.soak --seconds 600 --seed 7`; a whole day: `--minutes 60`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.account import account
from tests.soak.day import run_day
from tests.soak.soak import Settings, run

SEED = 14
"""Its minute has faults of all four lanes: the server, the link, the sidecar, the humans."""
SECONDS = 60.0
PEOPLE = 24
DAY_S = 30.0
LEAKY = Path(__file__).with_name("leaky.py")


async def keep(settings: Settings) -> None:
    """Run, print the account, and hold it against the promise."""
    outcome = await run(settings)
    told = "\n".join(account(outcome))
    print(told)
    assert outcome.violations == [], told
    # How much the agent could hear depends on the machine; that it heard something must not.
    assert len(outcome.hearing.sessions) >= 10, told
    assert outcome.expected >= 1, told
    assert len(outcome.ledger.faults) >= 5, told


@pytest.mark.full
async def test_a_minute_of_people_and_faults_breaks_no_promise(server_binary: Path) -> None:
    await keep(Settings(SECONDS, SEED, PEOPLE, has_faults=True, binary=server_binary))


@pytest.mark.full
async def test_a_minute_heard_through_the_bridge_breaks_no_promise(
    server_binary: Path, node: Path
) -> None:
    await keep(Settings(SECONDS, SEED, PEOPLE, has_faults=True, binary=server_binary, node=node))


@pytest.mark.full
async def test_half_a_minute_of_a_working_day_leaves_nothing_behind(node: Path) -> None:
    day = await run_day(DAY_S, node)
    told = "\n".join(day.lines())
    print(told)
    assert day.is_good, told
    assert min(day.stays, day.outages, day.restarts, day.crashes) >= 1, told


@pytest.mark.full
async def test_what_the_sidecar_or_a_consumer_leaves_behind_is_seen(node: Path) -> None:
    day = await run_day(DAY_S, node, driven=LEAKY, consumer=["--leak"])
    told = "\n".join(day.lines())
    assert day.broken == [], told
    assert {each.name for each in day.slopes if each.grows} == {"tasks", "fds", "listeners"}, told
    assert not day.is_good
