"""A value of the contract as a client reads it."""

from __future__ import annotations

import json
from typing import Any

from sidecar.rpc.jsonrpc import to_json


def written(value: object) -> Any:
    """The JSON that the sidecar writes for *value*, decoded."""
    return json.loads(to_json(value))
