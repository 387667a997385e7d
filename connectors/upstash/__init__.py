"""Upstash: Redis databases, looked at by its management API."""
