"""What a page may ask of a connection of its own: grants, bounds, and whose identity it is."""

from __future__ import annotations

import pytest

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import ConnectionParams
from sidecar.core.page_access import WantedConnection, wanted_connection

KIB_16 = 16 * 1024


def wanted(**params: object) -> WantedConnection:
    """What *params* come to, for the agent `clara`."""
    return wanted_connection(
        ConnectionParams(**params),  # type: ignore[arg-type]
        agent_identities={"clara", "clara-2"},
    )


def test_without_params_it_is_anybody_with_all_grants_for_ten_minutes():
    assert wanted() == WantedConnection(
        identity="",
        name="",
        metadata="",
        attributes={},
        ttl_s=600,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
    )


@pytest.mark.parametrize("grant", ["can_publish", "can_subscribe", "can_publish_data"])
@pytest.mark.parametrize("given", [True, False])
def test_a_grant_is_what_was_asked_for(grant: str, given: bool):
    found = wanted(**{grant: given})
    assert getattr(found, grant) is given
    others = {"can_publish", "can_subscribe", "can_publish_data"} - {grant}
    assert all(getattr(found, each) for each in others)


@pytest.mark.parametrize(
    "params",
    [
        {"identity": "x" * 256},
        {"identity": "ä 🎤"},
        {"identity": "🎤" * 64},
        {"name": "x" * 256},
        {"metadata": "x" * KIB_16},
        {"metadata": "🎤" * 4_096},
        {"attributes": {"k": "x" * (KIB_16 - 1)}},
        {"ttl_seconds": 60},
        {"ttl_seconds": 86_400},
    ],
    ids=lambda params: "/".join(f"{k}={str(v)[:12]}" for k, v in params.items()),
)
def test_what_is_within_bounds_is_taken(params: dict[str, object]):
    found = wanted(**params)
    for name, value in params.items():
        assert getattr(found, name.replace("ttl_seconds", "ttl_s")) == value


@pytest.mark.parametrize(
    ("member", "params"),
    [
        ("identity", {"identity": ""}),
        ("identity", {"identity": "x" * 257}),
        ("identity", {"identity": "clara"}),
        ("identity", {"identity": "clara-2"}),
        ("identity", {"identity": "🎤" * 65}),
        ("name", {"name": "x" * 257}),
        ("name", {"name": "🎤" * 65}),
        ("metadata", {"metadata": "x" * (KIB_16 + 1)}),
        ("metadata", {"metadata": "ä" * (KIB_16 // 2) + "x"}),
        ("attributes", {"attributes": {"k": "x" * KIB_16}}),
        ("attributes", {"attributes": {"a": "x" * 9_000, "b": "x" * 9_000}}),
        ("ttlSeconds", {"ttl_seconds": 0}),
        ("ttlSeconds", {"ttl_seconds": -1}),
        ("ttlSeconds", {"ttl_seconds": 59}),
        ("ttlSeconds", {"ttl_seconds": 86_401}),
        ("ttlSeconds", {"ttl_seconds": 10**30}),
    ],
    ids=lambda each: each if isinstance(each, str) else str(each)[:24],
)
def test_what_is_out_of_bounds_is_refused_by_name(member: str, params: dict[str, object]):
    with pytest.raises(InvalidParams, match=member):
        wanted(**params)
