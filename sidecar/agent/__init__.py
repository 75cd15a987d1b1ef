"""The shell around the core: passes facts to it, owns the timer, and carries out its decisions."""
