"""Go's modules as a proxy serves them, and a checksum database that has signed what they are."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNER: Final = "sums.example.com"
_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"a key for tests, of 32 bytes....")
_PUBLIC: Final = b"\x01" + _KEY.public_key().public_bytes_raw()
_KEY_ID: Final = hashlib.sha256(f"{SIGNER}\n".encode() + _PUBLIC).digest()[:4]
VERIFIER: Final = f"{SIGNER}+{_KEY_ID.hex()}+{base64.b64encode(_PUBLIC).decode()}"


class Module(NamedTuple):
    """One version of a module: one package that knows its version.

    Attributes:
        needs: Other modules, as `PATH VERSION`.
        go: The version of Go that it asks for.
    """

    path: str
    version: str
    needs: tuple[str, ...] = ()
    go: str = "1.21"

    @property
    def mod(self) -> str:
        """Its `go.mod`."""
        return f"module {self.path}\n\ngo {self.go}\n" + "".join(f"\nrequire {need}\n" for need in self.needs)

    def packed(self, more: str = "") -> bytes:
        """Its archive."""
        name = self.path.rpartition("/")[2]
        imports = "".join(f'import _ "{need.split()[0]}"\n' for need in self.needs)
        code = f'package {name}\n\n{imports}\n//go:generate touch /tmp/ran\n\nconst Version = "{self.version}"\n{more}'
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for file, text in (("go.mod", self.mod), (f"{name}.go", code)):
                archive.writestr(
                    zipfile.ZipInfo(f"{self.path}@{self.version}/{file}", (2026, 1, 1, 0, 0, 0)), text.encode()
                )
        return packed.getvalue()

    @property
    def sums(self) -> str:
        """Its two lines of `go.sum`."""
        with zipfile.ZipFile(io.BytesIO(self.packed())) as archive:
            content = [(name, archive.read(name)) for name in archive.namelist()]
        return (
            f"{self.path} {self.version} {_h1(content)}\n"
            f"{self.path} {self.version}/go.mod {_h1([('go.mod', self.mod.encode())])}\n"
        )


def _h1(files: Sequence[tuple[str, bytes]]) -> str:
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files))
    return f"h1:{base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()}"


@dataclass
class GoProxy:
    """What is served; a test changes it.

    Attributes:
        modules: All that there are; the database has signed them.
        exchanged: Paths whose archive is another than was signed.
        signs: Whether the database answers.
        odd: Whether another key than the database's signs.
    """

    modules: list[Module] = field(default_factory=list[Module])
    exchanged: list[str] = field(default_factory=list[str])
    signs: bool = True
    odd: bool = False

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type, content."""
        found = self._sums(path.removeprefix(f"sumdb/{SIGNER}/")) if path.startswith("sumdb/") else self._file(path)
        return (404, "text/plain", b"none") if found is None else (200, "text/plain", found)

    def paths(self) -> list[str]:
        """All that can be asked for."""
        found = [f"{one.path}/@v/{one.version}.{kind}" for one in self.modules for kind in ("info", "mod", "zip")]
        found += [f"{one.path}/@v/list" for one in self.modules]
        sums = ["supported", "latest", f"tile/8/0/000.p/{len(self.modules)}"]
        sums += [f"lookup/{one.path}@{one.version}" for one in self.modules]
        return [*found, *(f"sumdb/{SIGNER}/{one}" for one in sums)]

    def _file(self, path: str) -> bytes | None:
        name, _, file = path.partition("/@v/")
        versions = {one.version: one for one in self.modules if one.path == name}
        if not versions:
            return None
        if file == "list":
            return "\n".join(versions).encode()
        version, _, kind = file.rpartition(".")
        if (one := versions.get(version)) is None:
            return None
        if kind == "zip":
            return one.packed("\nvar More = 1\n" if name in self.exchanged else "")
        origin = {"VCS": "git", "URL": f"https://code.example.com/{name.rpartition('/')[2]}"}
        said = {"Version": version, "Time": "2026-01-01T00:00:00Z", "Origin": origin}
        return one.mod.encode() if kind == "mod" else json.dumps(said).encode()

    def _sums(self, path: str) -> bytes | None:
        if not self.signs:
            return None
        records = [one.sums.encode() for one in self.modules]
        if path.startswith("lookup/"):
            name, _, version = path.removeprefix("lookup/").partition("@")
            at = [(one.path, one.version) for one in self.modules].index((name, version))
            return f"{at}\n{records[at].decode()}\n{self._tree(records)}".encode()
        if path.startswith("tile/"):
            return b"".join(hashlib.sha256(b"\0" + one).digest() for one in records)
        return {"supported": b"", "latest": self._tree(records).encode()}.get(path)

    def _tree(self, records: Sequence[bytes]) -> str:
        digest = base64.b64encode(_root(records)).decode()
        text = f"go.sum database tree\n{len(records)}\n{digest}\n"
        key = Ed25519PrivateKey.generate() if self.odd else _KEY
        signed = base64.b64encode(_KEY_ID + key.sign(text.encode())).decode()
        return f"{text}\n— {SIGNER} {signed}\n"


def _root(records: Sequence[bytes]) -> bytes:
    """As RFC 6962 says it."""
    if len(records) == 1:
        return hashlib.sha256(b"\0" + records[0]).digest()
    half = 1 << (len(records) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _root(records[:half]) + _root(records[half:])).digest()


HELLO, OTHER, HELPER = "example.com/hello", "example.com/other", "example.com/helper"
GO_BEFORE: Final = (Module(HELLO, "v1.0.0"), Module(OTHER, "v1.0.0"))
GO_AFTER: Final = (
    Module(HELLO, "v1.1.0", (f"{HELPER} v1.0.0",)),
    Module(OTHER, "v1.1.0"),
    Module(HELPER, "v1.0.0"),
)
SHOP: Final = f'package shop\n\nimport (\n\t"{HELLO}"\n\t"{OTHER}"\n)\n\nvar Versions = hello.Version + other.Version\n'


def go_mod(*modules: Module, go: str = "1.21") -> str:
    """As the go command writes it, for a module that imports `hello` and `other`."""
    asked = "".join(f"\t{one.path} {one.version}\n" for one in sorted(modules) if one.path != HELPER)
    others = "".join(f"require {one.path} {one.version} // indirect\n" for one in modules if one.path == HELPER)
    return f"module example.com/shop\n\ngo {go}\n\nrequire (\n{asked})\n" + (f"\n{others}" if others else "")


def go_sum(*modules: Module) -> str:
    """As the go command writes it."""
    return "".join(one.sums for one in sorted(modules))
