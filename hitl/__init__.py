"""Policy and protocol for what waits for a person."""
