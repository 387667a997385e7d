"""Steps that look whether a service is healthy."""
