"""An SSH key, made here: Lambda would make one, too, and then know it."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import SecretStr


@dataclass(frozen=True)
class MadeKey:
    """A key pair.

    Attributes:
        private: In OpenSSH's form, for Vault alone.
        public: One line, for everybody.
    """

    private: SecretStr
    public: str


def new_ssh_key(comment: str) -> MadeKey:
    """Make one that nobody has.

    Args:
        comment: Behind the public key, for people.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return MadeKey(SecretStr(private), f"{public} {comment}")
