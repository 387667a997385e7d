"""Steps on Redis Cloud."""
