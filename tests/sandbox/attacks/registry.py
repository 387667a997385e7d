"""A package registry's content, and the certificate that proves it, made for one test."""

import base64
import datetime as dt
import hashlib
import io
import json
import zipfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

INDEX, FILES, NPM, CDN = "index.example.com", "files.example.com", "npm.example.com", "cdn.example.com"
WHEEL = "tinyhello-1.0-py3-none-any.whl"
WHEEL_PATH = f"/packages/aa/bb/{WHEEL}"
TARBALL = b"a tarball of npm's"


def wheel() -> bytes:
    """The smallest package that pip installs: one module that says hello."""
    info = "tinyhello-1.0.dist-info"
    files = {
        "tinyhello.py": b"print('hello from the package')\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tinyhello\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={_record_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = ("\n".join(lines) + f"\n{info}/RECORD,,\n").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()


def _record_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def content() -> str:
    """What the registry answers, for its environment."""
    file = f"https://{FILES}{WHEEL_PATH}"
    sha256 = hashlib.sha256(wheel()).hexdigest()
    page = {
        "meta": {"api-version": "1.0"},
        "name": "tinyhello",
        "files": [{"filename": WHEEL, "url": file, "hashes": {"sha256": sha256}}],
    }
    metadata = {"name": "tiny", "versions": {"1.0.0": {"dist": {"tarball": f"https://{NPM}/tiny/-/tiny-1.0.0.tgz"}}}}
    index_type = "application/vnd.pypi.simple.v1+json"
    return json.dumps(
        {
            f"{INDEX}/simple/tinyhello/": ["200", index_type, json.dumps(page)],
            f"{INDEX}/simple/tiny.hello/": ["301", "", "/simple/tinyhello/"],
            f"{INDEX}/simple/away/": ["301", "", "https://evil.example.com/simple/away/"],
            f"{INDEX}/simple/moved/": ["301", "", f"https://{FILES}{WHEEL_PATH}"],
            f"{FILES}{WHEEL_PATH}": ["200", "binary/octet-stream", wheel().decode("latin-1")],
            f"{FILES}/large": ["200", "binary/octet-stream", "x" * 100_000],
            f"{NPM}/tiny": ["200", "application/vnd.npm.install-v1+json", json.dumps(metadata)],
            f"{NPM}/tiny/-/tiny-1.0.0.tgz": ["200", "application/octet-stream", TARBALL.decode()],
        }
    )


def certificate(*names: str) -> tuple[str, str]:
    """A self-signed certificate for these names: what the server needs, and what others trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry of a test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=12))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return private + public, public
