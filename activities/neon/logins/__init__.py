"""Logins of Neon's databases that live for hours."""
