"""A rehearsal's own environment: sealed off from every network, made of what was copied of the real one."""
