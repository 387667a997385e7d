"""Leases: whatever has an end, held by a goal and ended with it."""
