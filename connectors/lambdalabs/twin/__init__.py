"""A twin of Lambda's cloud."""
