"""Leases, to look at."""
