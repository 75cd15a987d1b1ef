"""The query with which a client of one peer connection asks to join."""

from __future__ import annotations

import base64

from livekit.protocol.rtc import WrappedJoinRequest


def wrapped(join_request: bytes, *, gzip: bool = False) -> str:
    """Give *join_request* as the parameter `join_request`; *gzip* only says that it is packed."""
    modes = WrappedJoinRequest.Compression
    compression = modes.GZIP if gzip else modes.NONE
    request = WrappedJoinRequest(join_request=join_request, compression=compression)
    return base64.urlsafe_b64encode(request.SerializeToString()).decode()
