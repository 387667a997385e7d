"""What this process was given by Vault is known to its redactor, so that nothing it says can quote it.

By their names, for among a secret's fields are ids, regions and addresses, which people need to read. Vault's own
tokens are known by their shape.
"""

from typing import Final

from pydantic import SecretStr

from observability.redaction import is_secret_name, redact

_SECRET_TOO: Final = frozenset({"previous"})
"""A webhook's secret while it is changed: its name says nothing of it."""


def known(values: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """The same values, those that are secrets by name now masked wherever this process speaks."""
    for name, value in values.items():
        if is_secret_name(name) or name in _SECRET_TOO:
            redact.register(value)
    return values
