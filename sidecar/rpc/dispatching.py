"""Owns the import of jsonrpcserver: its dispatcher, and the types that a method returns.

`import jsonrpcserver` runs its `__init__`, which imports jsonschema and an HTTP server. The
`__init__` of OSlash imports its other monads. Both took half of the time to the first answer. The
dispatcher uses neither: jsonrpc.py has checked each Request object. So this module imports the
submodules and leaves out the `__init__` of both packages.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import typing
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def _only_submodules(*packages: str) -> Iterator[None]:
    """Let the body import submodules of *packages* without the `__init__` of a package.

    A package that was imported before stays unchanged. A later `import` of a package runs its
    `__init__`, and finds the same submodules.
    """
    standing_in = {}
    for name in packages:
        spec = importlib.util.find_spec(name)
        if name not in sys.modules and spec is not None:
            standing_in[name] = importlib.util.module_from_spec(spec)
    # OSlash takes `runtime_checkable` from typing_extensions; since Python 3.8 typing has it.
    if "typing_extensions" not in sys.modules:
        standing_in["typing_extensions"] = typing
    sys.modules.update(standing_in)
    try:
        yield
    finally:
        for name in standing_in:
            del sys.modules[name]


with _only_submodules("jsonrpcserver", "oslash"):
    from jsonrpcserver.dispatcher import create_request, dispatch_request, to_response
    from jsonrpcserver.response import to_serializable_one
    from jsonrpcserver.result import Error, Success
    from jsonrpcserver.sentinels import NOCONTEXT, NOID

__all__ = ["Error", "Success", "dispatch"]


def dispatch(request: Any, methods: dict[str, Callable[..., Any]]) -> Any:
    """Call the method that *request* names; return the response, None for a notification.

    *request* is a decoded and valid Request object. Each of *methods* returns what `Success` or
    `Error` returns. Any other failure becomes an error response; nothing is raised.
    """
    asked, result = dispatch_request(methods, NOCONTEXT, create_request(request))
    if asked.id is NOID:
        return None
    return to_serializable_one(to_response(asked, result))
