"""Pulumi: what its CLI says, made into what people approve, and into what really happened. Nothing here runs it."""
