"""What transit keys do, which never leave Vault: sign, have published halves that verify it, and wrap keys for data."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from connectors.errors import Unavailable
from connectors.vault.transport import Transport, fields

_RAW_ED25519: Final = 32


async def read_public_keys(transport: Transport, token: SecretStr, key: str) -> Mapping[int, bytes]:
    """The raw Ed25519 public keys of a transit key, by version.

    Versions below the key's `min_decryption_version` are not in the answer (OpenBao 2.7): raising it revokes them.

    Raises:
        ConnectorError: By the tree; `Unavailable` also for an answer that is not of the documented shape.
    """
    answer = await transport.call(
        f"the public keys of {key!r}", token, lambda vault: vault.secrets.transit.read_key(name=key)
    )
    if (kind := fields(answer, "data", "type")) != "ed25519":
        raise Unavailable(f"Vault's transit key {key!r} is of type {kind!r}, not ed25519; make it anew")
    found: Mapping[str, object] = fields(answer, "data", "keys")
    return {int(version): _raw(fields(one, "public_key"), key) for version, one in found.items()}


async def sign(transport: Transport, token: SecretStr, key: str, text: str) -> str:
    """Sign a text with the newest version of a transit key: `vault:v1:…`.

    Raises:
        ConnectorError: By the tree; `Unavailable` while Vault is sealed.
    """
    given = base64.b64encode(text.encode()).decode()
    answer = await transport.call(
        f"a signature with {key!r}", token, lambda vault: vault.secrets.transit.sign_data(name=key, hash_input=given)
    )
    return str(fields(answer, "data", "signature"))


async def make_data_key(transport: Transport, token: SecretStr, key: str) -> tuple[bytes, str]:
    """A new key of 32 bytes for data, and the same wrapped by a transit key: `vault:v1:…`.

    Raises:
        ConnectorError: By the tree.
    """
    answer = await transport.call(
        f"a data key of {key!r}",
        token,
        lambda vault: vault.secrets.transit.generate_data_key(name=key, key_type="plaintext"),
    )
    return base64.b64decode(fields(answer, "data", "plaintext")), str(fields(answer, "data", "ciphertext"))


async def open_data_key(transport: Transport, token: SecretStr, key: str, wrapped: str) -> bytes:
    """The key for data that was wrapped by this transit key.

    Raises:
        InvalidRequest: It was not.
        ConnectorError: By the tree.
    """
    answer = await transport.call(
        f"a data key of {key!r}",
        token,
        lambda vault: vault.secrets.transit.decrypt_data(name=key, ciphertext=wrapped),
    )
    return base64.b64decode(fields(answer, "data", "plaintext"))


def _raw(text: object, key: str) -> bytes:
    try:
        raw = base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise Unavailable(f"Vault gave a public key of {key!r} that is not base64") from error
    if len(raw) != _RAW_ED25519:
        raise Unavailable(f"Vault gave a public key of {key!r} with {len(raw)} bytes instead of {_RAW_ED25519}")
    return raw
