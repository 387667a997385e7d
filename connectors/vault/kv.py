"""Reading one secret of the KV engine, version 2."""

from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from connectors.vault.known import known
from connectors.vault.transport import Transport, fields

MOUNT: Final = "banksman"
"""Where our secrets lie."""


async def read_kv(transport: Transport, token: SecretStr, path: str) -> Mapping[str, SecretStr]:
    """The newest version of one secret.

    Raises:
        NotFound: There is none, or it was deleted.
        ConnectorError: By the tree.
    """
    answer = await transport.call(
        f"the secret {MOUNT}/{path}",
        token,
        lambda vault: vault.secrets.kv.v2.read_secret_version(
            path=path, mount_point=MOUNT, raise_on_deleted_version=True
        ),
    )
    values: dict[str, object] = fields(answer, "data", "data")
    return known({name: SecretStr(str(value)) for name, value in values.items()})
