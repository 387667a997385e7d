"""Changing a text by check-and-set: of two that change it at once, the second sees what the first wrote."""

from collections.abc import Callable
from typing import Final

from pydantic import SecretStr

from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.vault.kv import MOUNT, read_kv, write_kv
from connectors.vault.transport import Transport

_FIELD: Final = "text"
_TRIES: Final = 5


async def change_text(transport: Transport, token: SecretStr, path: str, change: Callable[[str | None], str]) -> None:
    """Write what `change` makes of the text that stands there, or of None where none ever stood.

    Args:
        transport: To Vault.
        token: That may read and write the path.
        path: Below our mount.
        change: May be called several times; what it raises is passed on, and nothing is written.

    Raises:
        Unavailable: Others wrote it all the time, or somebody deleted it by hand.
        ConnectorError: By the tree.
    """
    for _ in range(_TRIES):
        text, version = await _read(transport, token, path)
        wanted = change(text)
        try:
            await write_kv(transport, token, path, {_FIELD: SecretStr(wanted)}, after=version)
        except InvalidRequest:  # somebody else was quicker
            continue
        return
    raise Unavailable(f"the record {MOUNT}/{path} could not be written; an operator must look at it")


async def _read(transport: Transport, token: SecretStr, path: str) -> tuple[str | None, int]:
    try:
        found = await read_kv(transport, token, path)
    except NotFound:
        return None, 0
    if (text := found.values.get(_FIELD)) is None:
        raise Unavailable(f"the record {MOUNT}/{path} holds something else; an operator must look at it")
    return text.get_secret_value(), found.number
