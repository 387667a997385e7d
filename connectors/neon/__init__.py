"""Neon: PostgreSQL projects and their branches, by its management API."""
