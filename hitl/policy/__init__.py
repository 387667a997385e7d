"""The policy: who may do what, read from one file."""
