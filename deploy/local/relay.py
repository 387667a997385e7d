"""The relay of the embedded environment, which machines of Lambda's twin dial: its certificate, and who asks it."""

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from deploy.local.processes.ports import HOST
from deploy.local.state import StackFolder

BACKEND: Final = "twin-gpu"
"""The backend that machines serve; the models' file foresees it."""
_LIFE: Final = timedelta(days=365)
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class RelayFiles:
    """What it is started with, and what machines are told of it.

    Attributes:
        certificate: Its file; also what machines trust, for it is its own authority.
        key: Its private key's file.
    """

    certificate: Path
    key: Path

    @property
    def authority(self) -> str:
        """What machines trust."""
        return self.certificate.read_text(encoding="ascii")


def make_relay_files(folder: StackFolder) -> RelayFiles:
    """A certificate for this host, made anew: no machine of a twin outlives its environment."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "banksman relay")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return RelayFiles(
        certificate=folder.private("relay.pem", made.public_bytes(pem)), key=folder.private("relay.key", private)
    )


def relay_secrets() -> dict[str, dict[str, SecretStr]]:
    """What the models worker is known by."""
    return {f"models/{BACKEND}": {"key": SecretStr(secrets.token_hex(32))}}
