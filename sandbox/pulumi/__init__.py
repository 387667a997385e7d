"""Runs Pulumi in two containers: the engine with the keys, and the program without; see docs/sandbox.md."""
