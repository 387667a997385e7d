"""Mutual TLS for Temporal's frontend: one authority, and a certificate for each process, each in a volume of its own.

Whoever reaches the frontend can read plans and lie about results, so it talks only to who holds a certificate. Run
before everything else; it makes what is missing or ends within a month, and leaves the rest.

    python -m deploy.compose.certificates /certificates
"""

import ipaddress
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE: Final = timedelta(days=365)
_AUTHORITY_LIFE: Final = timedelta(days=3650)
_RENEW_BEFORE: Final = timedelta(days=30)
_SKEW: Final = timedelta(minutes=5)
_OURS: Final = 10_001
"""The user of our image."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who gets a certificate.

    `user` owns the key, alone. None stands where the image's user is not ours to know: then the volume, which nobody
    else mounts, is what keeps the key.
    """

    names: tuple[str, ...] = ()
    user: int | None = _OURS


HOLDERS: Final[Mapping[str, Holder]] = {
    "temporal": Holder(names=("temporal", "localhost"), user=None),
    "ui": Holder(user=None),
    "goals": Holder(),
    "connectors": Holder(),
    "sandbox": Holder(),
    "destructive": Holder(),
    "gateway": Holder(),
    "models": Holder(),
    "operator": Holder(),
}


def main(arguments: list[str]) -> int:
    """Make what is missing under this folder; one line for each thing done."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m deploy.compose.certificates FOLDER\n")
        return 2
    for name in ensure(Path(arguments[0])):
        sys.stdout.write(f"made a certificate for {name}\n")
    return 0


def ensure(folder: Path, *, now: datetime | None = None) -> list[str]:
    """Make the authority and the certificates that are missing or old; returns for whom.

    A new authority makes every certificate anew, as they would not be believed any more.
    """
    now = now or datetime.now(UTC)
    made: list[str] = []
    home = folder / "authority"
    if _is_old(home / "cert.pem", now) or not (home / "key.pem").exists():
        _make_authority(home, now)
        made.append("authority")
    authority = x509.load_pem_x509_certificate((home / "cert.pem").read_bytes())
    key = serialization.load_pem_private_key((home / "key.pem").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{home / 'key.pem'} is not ours; remove the volume of the authority and start again")
    for name, holder in HOLDERS.items():
        if made[:1] == ["authority"] or _is_old(folder / name / "cert.pem", now):
            _issue(folder / name, name, holder=holder, signer=(authority, key), now=now)
            made.append(name)
    return made


def _is_old(path: Path, now: datetime) -> bool:
    if not path.exists():
        return True
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - now < _RENEW_BEFORE


def _make_authority(home: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("banksman authority")
    certificate = (
        _builder(name, name, key=key, now=now, life=_AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(home / "key.pem", _pem(key), mode=0o600, user=None)
    _write(home / "cert.pem", certificate.public_bytes(serialization.Encoding.PEM), mode=0o644, user=None)


def _issue(
    home: Path,
    name: str,
    *,
    holder: Holder,
    signer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
    now: datetime,
) -> None:
    authority, authority_key = signer
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), authority.subject, key=key, now=now, life=_LIFE)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if holder.names:
        addresses = [x509.DNSName(host) for host in holder.names]
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([*addresses, loopback]), critical=False)
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    # The certificate is written last: a run that was cut off is made again.
    _write(home / "ca.pem", authority.public_bytes(pem), mode=0o444, user=holder.user)
    _write(home / "key.pem", _pem(key), mode=0o444 if holder.user is None else 0o400, user=holder.user)
    _write(home / "cert.pem", certificate.public_bytes(pem), mode=0o444, user=holder.user)


def _builder(
    subject: x509.Name, issuer: x509.Name, *, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int, user: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    path.chmod(mode)
    if user is not None and os.geteuid() == 0:
        os.chown(path, user, user)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
