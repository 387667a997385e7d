"""Passwords as Neon makes them: recognisable, and with nothing that a connection string would have to escape."""

import secrets


def new_password() -> str:
    """A new one."""
    return f"npg_{secrets.token_hex(12)}"
