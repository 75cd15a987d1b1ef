"""The voice-session sidecar: a LiveKit agent that speaks JSON-RPC 2.0 over stdin and stdout."""

__version__ = "0.1.0"
"""The same as the bridge's; package metadata is not there in a frozen build."""
