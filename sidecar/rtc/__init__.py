"""The adapter to LiveKit: the only importers of LiveKit's packages."""
