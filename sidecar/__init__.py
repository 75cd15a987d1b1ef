"""The voice-session sidecar: a LiveKit agent that speaks JSON-RPC 2.0 over stdin and stdout."""

__version__ = "0.1.0"
"""Must equal the bridge's version. A constant, because a frozen build has no package metadata."""
