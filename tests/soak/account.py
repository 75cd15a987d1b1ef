"""What a soak came to, in lines of text.

Pure: an outcome in, lines out. Times are seconds since the soak began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.soak.judge import Violation
from tests.soak.reasons import KINDS
from tests.soak.soak import Outcome

SHOWN = 5
"""Violations of a kind that are told with their evidence."""
LINES = 60
"""Of evidence for one violation."""
BEFORE_S = 30.0
AFTER_S = 15.0


def account(outcome: Outcome) -> Iterator[str]:
    """The counts, then the evidence."""
    settings, ledger, heard = outcome.settings, outcome.ledger, outcome.hearing
    faults = Counter(fault.kind for fault in ledger.faults)
    broken = Counter(each.kind for each in outcome.violations)
    joined = sum(stay.since_s is not None for stay in ledger.stays.values())
    closes = Counter(session.reason for session in heard.sessions)
    yield (
        f"soak: seed {settings.seed}, {settings.seconds:.0f} s, {settings.people} people, faults "
        f"{'on' if settings.has_faults else 'off'}"
    )
    yield f"stays: {joined}, of which {outcome.expected} had to have a session"
    polled = sum(session.detail == "reconcile" for session in heard.sessions)
    deaf = sum(state.why == "deaf" for state in heard.states)
    yield f"sessions: {len(heard.sessions)} ({_counts(closes)})"
    yield f"found by comparing with the server's list: {polled} ends, {deaf} times deaf"
    yield f"faults: {sum(faults.values())} ({_counts(faults)})"
    kinds = [*KINDS, *sorted(broken.keys() - set(KINDS))]
    yield "violations: " + ", ".join(f"{broken[kind]} {kind}" for kind in kinds)
    shown: Counter[str] = Counter()
    for violation in outcome.violations:
        shown[violation.kind] += 1
        if shown[violation.kind] <= SHOWN:
            yield ""
            yield from _told(outcome, violation)


def everything(outcome: Outcome) -> Iterator[str]:
    """The whole course, line by line."""
    for at_s, line in sorted(_lines(outcome, "")):
        yield f"{at_s - outcome.began_s:8.3f}  {line}"


def _told(outcome: Outcome, violation: Violation) -> Iterator[str]:
    who = f" {violation.identity}" if violation.identity else ""
    at_s = violation.at_s - outcome.began_s
    yield f"{violation.kind}{who} at {at_s:.3f} s: {violation.words}"
    near = [
        (at, line)
        for at, line in sorted(_lines(outcome, violation.identity))
        if violation.at_s - BEFORE_S <= at <= violation.at_s + AFTER_S
    ]
    for at, line in near[:LINES]:
        yield f"    {at - outcome.began_s:8.3f}  {line}"
    if len(near) > LINES:
        yield f"    and {len(near) - LINES} lines more"


def _lines(outcome: Outcome, identity: str) -> Iterator[tuple[float, str]]:
    """What concerns *identity*, or everybody where it is empty."""
    for at_s, words in outcome.ledger.notes:
        if not identity or f" {identity} " in f"{words} " or "webhook room" in words:
            yield at_s, words
    for at_s, who, words in outcome.hearing.lines:
        if not identity or who in ("", identity):
            yield at_s, words
    for state in outcome.hearing.states:
        if state.state in ("idle", "gone") and not state.why:
            yield state.at_s, f"sidecar process {'began' if state.state == 'idle' else 'ended'}"
    for fault in outcome.ledger.faults:
        yield fault.began_s, f"fault   {fault.kind} {fault.note}".rstrip()
        yield fault.ended_s, f"fault   {fault.kind} is over"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {kind or 'still open'}" for kind, count in counter.most_common())
