"""Which sessions are open, and when each one begins and ends."""
