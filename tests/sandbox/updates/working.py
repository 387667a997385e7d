"""A repository that depends on something, and what works on its lock file: on this machine, or in a container."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.updates import inside
from tests.sandbox.updates.registries import FILES, HOSTS, INDEX, NPM, Package, Registries, wheel

SOURCE: Final = Path(inside.__file__).read_text()


ADDRESS: Final = f"https://{INDEX}/simple"


def source(index: str = ADDRESS) -> str:
    """Where a package is from, as uv's lock file says it."""
    return f'{{ registry = "{index}" }}'


def lock(*packages: Package, host: str = FILES, index: str = ADDRESS) -> str:
    """As uv writes it, for a project that asks for `hello` and `other`."""
    parts = ['version = 1\nrevision = 5\nrequires-python = ">=3.11"\n']
    for one in packages:
        url = f"https://{host}/{one.name}-{one.version}-py3-none-any.whl"
        content = wheel(one)
        digest = hashlib.sha256(content).hexdigest()
        needs = "".join(f'    {{ name = "{need.partition(">")[0]}" }},\n' for need in one.needs)
        parts.append(
            f'[[package]]\nname = "{one.name}"\nversion = "{one.version}"\nsource = {source(index)}\n'
            + (f"dependencies = [\n{needs}]\n" if needs else "")
            + f'wheels = [\n    {{ url = "{url}", hash = "sha256:{digest}", size = {len(content)}, '
            + 'upload-time = "2026-01-01T00:00:00Z" },\n]\n'
        )
    asked = '[[package]]\nname = "shop"\nversion = "1"\nsource = { virtual = "." }\n'
    asked += 'dependencies = [\n    { name = "hello" },\n    { name = "other" },\n]\n\n'
    asked += "[package.metadata]\nrequires-dist = [\n"
    asked += '    { name = "hello", specifier = ">=1" },\n    { name = "other", specifier = ">=2" },\n]\n'
    return "\n".join([*parts, asked])


def npm_lock(*packages: Package) -> str:
    """As npm writes it, for a project that asks for `left`."""
    asked = {"name": "shop", "version": "1.0.0", "dependencies": {"left": "^1.0.0"}}
    entries = {
        f"node_modules/{one.name}": {
            "version": one.version,
            "resolved": f"https://{NPM}/{one.name}/-/{one.name}-{one.version}.tgz",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(Registries.packed(one)).digest()).decode(),
        }
        for one in packages
    }
    return json.dumps({"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": asked, **entries}})


PROJECT: Final = (
    '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["hello>=1", "other>=2"]\n'
)
BEFORE: Final = (Package("hello", "1.0"), Package("other", "2.0"))
AFTER: Final = (Package("hello", "1.1", ("helper>=1",)), Package("helper", "1.0"), Package("other", "2.1"))
REPOSITORY: Final = "acme/shop"
NPM_BEFORE: Final = (Package("left", "1.0.0"),)
NPM_AFTER: Final = (
    Package("left", "1.2.0", ("right@^1.0.0",)),
    Package("right", "1.0.0", script="touch /workspace/tree/ran"),
)
WEB: Final[Mapping[str, str]] = {
    "package.json": json.dumps({"name": "shop", "version": "1.0.0", "dependencies": {"left": "^1.0.0"}}),
    "package-lock.json": npm_lock(*NPM_BEFORE),
    ".npmrc": "registry=https://evil.example.com/\nignore-scripts=false\n",
    "test.js": "if (require('left').v !== '1.2.0' || require('fs').existsSync('ran')) process.exit(1)\n",
}
TESTED: Final = "import unittest\nimport hello\n\n\nclass It(unittest.TestCase):\n    def test_it(self):\n"
TESTED_SO: Final = f"{TESTED}        self.assertEqual(hello.VERSION, '1.1')\n"


def committed(folder: Path, files: Mapping[str, str]) -> Path:
    """A repository with these files in its one commit."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "All of it")
    return folder


def git(folder: Path, *arguments: str, said: bytes = b"") -> bytes:
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder), *arguments]
    return subprocess.run(argv, input=said, capture_output=True, check=True).stdout


def packed(folder: Path) -> tuple[str, bytes]:
    """The commit's id, and its pack."""
    objects = git(folder, "rev-list", "--objects", "--no-object-names", "HEAD")
    return git(folder, "rev-parse", "HEAD").decode().strip(), git(
        folder, "pack-objects", "--stdout", "--quiet", said=objects
    )


def uv_from(wheels: Path, into: Path) -> Path:
    """The folder with uv alone, out of its wheel."""
    into.mkdir()
    (found,) = wheels.glob("uv-*.whl")
    with zipfile.ZipFile(found) as archive:
        name = next(one for one in archive.namelist() if one.endswith("/scripts/uv"))
        (into / "uv").write_bytes(archive.read(name))
    (into / "uv").chmod(0o755)
    return into


@dataclass
class Here:
    """What runs in the container, on this machine and beside registries of its own.

    Attributes:
        folder: Where the tree and what is kept lie.
        uv: The folder with uv.
        registries: What it reaches.
    """

    folder: Path
    uv: Path
    registries: Registries

    def begin(self, **files: str) -> Path:
        """A repository; with a project and its lock file unless others are given."""
        given = {"pyproject.toml": PROJECT, "uv.lock": lock(*BEFORE), **files}
        return committed(self.folder / "tree", given)

    def update(self, *packages: str, write: tuple[str, ...] = (), ecosystem: str | None = None) -> dict[str, Any]:
        asked = {"packages": packages, "write": write, "ecosystem": ecosystem, "hosts": HOSTS, "out": "../out"}
        return self._said({"do": "update", **asked})

    def audit(self) -> dict[str, Any]:
        return self._said({"do": "audit", "lock": "uv.lock", "service": f"{self.registries.address}/osv/"})

    def kept(self, name: str) -> str:
        return (self.folder / "out" / name).read_text()

    def _said(self, asked: dict[str, Any]) -> dict[str, Any]:
        environment = {
            "PATH": f"{self.uv}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "UV_DEFAULT_INDEX": f"{self.registries.address}/{INDEX}/simple/",
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "UV_HTTP_RETRIES": "0",
        }
        argv = [sys.executable, "-I", "-S", "-c", SOURCE, json.dumps(asked)]
        ran = subprocess.run(argv, cwd=self.folder / "tree", env=environment, capture_output=True, check=True)
        return json.loads(ran.stdout)
