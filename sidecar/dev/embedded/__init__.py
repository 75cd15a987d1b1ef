"""The parts of `embedded_room.py`, the test double of a LiveKit server; nothing else uses them."""
