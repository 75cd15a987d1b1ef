"""The adapter to the parent process: bytes, lines, JSON-RPC, methods, stdio."""
