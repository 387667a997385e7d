"""Writing a text where there is none, and never over another: for what must happen once.

Vault answers 400 where there is a text and the token may update, and 403 where it may only create.
"""

from typing import Final

from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest, NotFound, Unavailable
from connectors.vault.kv import MOUNT, read_kv, write_kv
from connectors.vault.transport import Transport

_FIELD: Final = "text"


async def written(transport: Transport, token: SecretStr, path: str) -> str | None:
    """The text that was written there once; None where there is none.

    Raises:
        ConnectorError: By the tree.
    """
    try:
        found = (await read_kv(transport, token, path)).values.get(_FIELD)
    except NotFound:
        return None
    if found is None:
        raise Unavailable(f"the record {MOUNT}/{path} holds something else; an operator must look at it")
    return found.get_secret_value()


async def write_once(transport: Transport, token: SecretStr, path: str, text: str) -> str:
    """Write a text unless one is there, by check-and-set; the answer is the text that stands there now.

    Safe to repeat: whoever lost the answer finds its own text. What was deleted by hand is not written again.

    Raises:
        NotFound: It was written and deleted, or the token may read the path and not write it.
        ConnectorError: By the tree.
    """
    try:
        await write_kv(transport, token, path, {_FIELD: SecretStr(text)}, after=0)
    except (InvalidRequest, AuthDenied):
        found = (await read_kv(transport, token, path)).values.get(_FIELD)
        if found is None:
            raise Unavailable(f"the record {MOUNT}/{path} holds something else; an operator must look at it") from None
        return found.get_secret_value()
    return text
