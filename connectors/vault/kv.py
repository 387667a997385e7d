"""One secret of the KV engine, version 2: reading it, writing a new version, deleting all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from connectors.errors import NotFound
from connectors.vault.known import known
from connectors.vault.transport import Transport, fields

MOUNT: Final = "banksman"
"""Where our secrets lie."""


@dataclass(frozen=True)
class Version:
    """One version of a secret.

    Attributes:
        values: By field.
        number: From 1.
    """

    values: Mapping[str, SecretStr]
    number: int


async def read_kv(transport: Transport, token: SecretStr, path: str) -> Version:
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
    return Version(
        values=known({name: SecretStr(str(value)) for name, value in values.items()}),
        number=int(fields(answer, "data", "metadata", "version")),
    )


async def write_kv(
    transport: Transport, token: SecretStr, path: str, values: Mapping[str, SecretStr], *, after: int | None = None
) -> int:
    """Write a new version of one secret; earlier ones stay below it.

    Safe to repeat: whoever lost the answer writes one version more, or with `after` is refused.

    Args:
        transport: To Vault.
        token: That may write the path.
        path: Below our mount.
        values: By field.
        after: The version that must be the newest, 0 where none ever stood: check-and-set. None: whichever is.

    Returns:
        The number of the version.

    Raises:
        AuthDenied: The token may not write there.
        InvalidRequest: Another version is the newest.
        ConnectorError: By the tree.
    """
    plain = {name: value.get_secret_value() for name, value in known(dict(values)).items()}
    answer = await transport.call(
        f"the secret {MOUNT}/{path}",
        token,
        lambda vault: vault.secrets.kv.v2.create_or_update_secret(
            path=path, secret=plain, cas=after, mount_point=MOUNT
        ),
    )
    return int(fields(answer, "data", "version"))


async def list_kv(transport: Transport, token: SecretStr, path: str) -> list[str]:
    """The names of the secrets right below a path; none where nothing lies there.

    Raises:
        AuthDenied: The token may not list there.
        ConnectorError: By the tree.
    """
    try:
        answer = await transport.call(
            f"the secrets below {MOUNT}/{path}",
            token,
            lambda vault: vault.secrets.kv.v2.list_secrets(path=path, mount_point=MOUNT),
        )
    except NotFound:
        return []
    names: list[object] = fields(answer, "data", "keys")
    return [str(name) for name in names if not str(name).endswith("/")]


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
