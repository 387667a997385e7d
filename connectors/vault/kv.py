"""One secret of the KV engine, version 2: reading it, writing a new version, deleting all of them."""

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


async def write_kv(transport: Transport, token: SecretStr, path: str, values: Mapping[str, SecretStr]) -> int:
    """Write a new version of one secret; earlier ones stay below it.

    Safe to repeat: whoever lost the answer writes one version more.

    Returns:
        The number of the version.

    Raises:
        AuthDenied: The token may not write there.
        ConnectorError: By the tree.
    """
    plain = {name: value.get_secret_value() for name, value in known(dict(values)).items()}
    answer = await transport.call(
        f"the secret {MOUNT}/{path}",
        token,
        lambda vault: vault.secrets.kv.v2.create_or_update_secret(path=path, secret=plain, mount_point=MOUNT),
    )
    return int(fields(answer, "data", "version"))


async def delete_kv(transport: Transport, token: SecretStr, path: str) -> None:
    """Delete all versions of one secret for good; one that is not there is fine.

    Raises:
        AuthDenied: The token may not delete there.
        ConnectorError: By the tree.
    """
    await transport.call(
        f"the end of the secret {MOUNT}/{path}",
        token,
        lambda vault: vault.secrets.kv.v2.delete_metadata_and_all_versions(path=path, mount_point=MOUNT),
    )
