"""Encrypts what stands in histories, with a key ring from Vault.

AES-256-GCM; the id of the key stands beside the bytes, so that a rotated ring still reads what the older key wrote.
The namespace is bound as associated data: a payload lifted into another namespace does not decrypt.
"""

import base64
import binascii
import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from workflows.converter import PLAIN_ENCODING, SEALED_ENCODING

ENCODING: Final = b"binary/encrypted"
_KEY_ID: Final = "banksman-key"
_NONCE_BYTES: Final = 12


class KeyRing(BaseModel):
    """The keys that decrypt, and the one that encrypts.

    Attributes:
        current: Id of the key that encrypts.
        keys: Every key by its id: 32 bytes in base64.
    """

    model_config = ConfigDict(frozen=True)

    current: str
    keys: Mapping[str, SecretStr]

    def ciphers(self) -> dict[str, AESGCM]:
        """A cipher per key.

        Raises:
            ValueError: The current key is missing, or a key is not 32 bytes in base64.
        """
        if self.current not in self.keys:
            raise ValueError(f"the payload key ring has no key {self.current!r}, which it names as current")
        return {name: AESGCM(_key_bytes(name, key)) for name, key in self.keys.items()}


def _key_bytes(name: str, key: SecretStr) -> bytes:
    try:
        raw = base64.b64decode(key.get_secret_value(), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:  # noqa: PLR2004 - AES-256
        raise ValueError(f"payload key {name!r} is not 32 bytes in base64")
    return raw


class EncryptionCodec(PayloadCodec):
    """Encrypts and decrypts payloads.

    Args:
        ring: The keys.
        namespace: Bound to every payload.
        mark: Mark what came in unencrypted, and what does not decrypt, so that the converter refuses it where it is
            read: raised here, one bad signal would end the goal it was sent to. The codec server passes the one on,
            and refuses the other by itself.
    """

    def __init__(self, ring: KeyRing, namespace: str, *, mark: bool = True) -> None:
        self._current = ring.current
        self._ciphers = ring.ciphers()
        self._bound = b"banksman-payload/v1\0" + namespace.encode()
        self._mark = mark

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Encrypt each payload whole, its metadata included."""
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt each payload.

        Raises:
            ApplicationError: A payload is of an unknown key, or was changed, and is not to be marked.
        """
        return [self._decrypt_or_mark(payload) for payload in payloads]

    def _decrypt_or_mark(self, payload: Payload) -> Payload:
        try:
            return self._decrypt(payload)
        except ApplicationError as refusal:
            if not self._mark:
                raise
            return Payload(metadata={"encoding": SEALED_ENCODING.encode()}, data=refusal.message.encode())

    def _encrypt(self, payload: Payload) -> Payload:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), self._bound)
        return Payload(metadata={"encoding": ENCODING, _KEY_ID: self._current.encode()}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            if not self._mark:
                return payload
            return Payload(metadata={"encoding": PLAIN_ENCODING.encode()}, data=payload.data)
        name = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise _undecryptable(f"the payload key ring has no key {name!r}: put it back into banksman/payload-keys")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, self._bound))
        except (InvalidTag, ValueError):
            raise _undecryptable(
                f"a payload does not decrypt with key {name!r}: changed, or of another namespace"
            ) from None


def _undecryptable(message: str) -> ApplicationError:
    return application_error(ErrorType.INVALID_REQUEST, message)
