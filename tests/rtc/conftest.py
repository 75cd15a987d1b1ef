"""What the tests of the adapters share: the SDK is afterwards as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_budget() -> Iterator[None]:
    """Take a test's budget off the SDK's queue: it would drop the texts of later tests' people."""
    yield
    client_module = sys.modules.get("livekit.rtc._ffi_client")
    client = None if client_module is None else client_module.FfiClient._instance
    if client is not None:
        vars(client.queue).pop("put", None)
