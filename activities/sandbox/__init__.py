"""Steps in the sandbox."""
