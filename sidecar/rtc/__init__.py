"""The adapter to LiveKit: the only importers of `livekit.rtc` and `livekit.api`."""
