"""The shell around the core: it feeds facts, owns the one timer, and carries decisions out."""
