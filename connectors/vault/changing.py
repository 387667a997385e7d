"""Changing a text by check-and-set: of two that change it at once, the second sees what the first wrote."""

from collections.abc import Callable
from typing import Final

import hvac
from pydantic import SecretStr

from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.vault.kv import MOUNT
from connectors.vault.transport import Transport, fields

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
            await transport.call(f"the record {MOUNT}/{path}", token, _writing(path, wanted, version))
        except InvalidRequest:  # somebody else was quicker
            continue
        return
    raise Unavailable(f"the record {MOUNT}/{path} could not be written; an operator must look at it")


async def _read(transport: Transport, token: SecretStr, path: str) -> tuple[str | None, int]:
    try:
        answer = await transport.call(
            f"the record {MOUNT}/{path}",
            token,
            lambda vault: vault.secrets.kv.v2.read_secret_version(
                path=path, mount_point=MOUNT, raise_on_deleted_version=True
            ),
        )
    except NotFound:
        return None, 0
    return str(fields(answer, "data", "data", _FIELD)), int(fields(answer, "data", "metadata", "version"))


def _writing(path: str, text: str, version: int) -> Callable[[hvac.Client], object]:
    return lambda vault: vault.secrets.kv.v2.create_or_update_secret(
        path=path, secret={_FIELD: text}, cas=version, mount_point=MOUNT
    )
