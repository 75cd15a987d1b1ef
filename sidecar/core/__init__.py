"""The pure core: facts in, decisions out. No I/O, no clock, no randomness, no LiveKit."""
