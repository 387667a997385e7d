"""Steps on GitHub."""
