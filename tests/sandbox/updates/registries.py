"""Registries as a mirror serves them, over HTTP: a simple index, npm's, and who knows what is vulnerable.

All of it lies below the names of the hosts that are played, as in the mirror: `/index.example.com/simple/NAME/`.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import threading
import urllib.parse
import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from tests.sandbox.updates.modules import GoProxy

INDEX, FILES, NPM, GO = "index.example.com", "files.example.com", "npm.example.com", "go.example.com"
HOSTS: Final = (INDEX, FILES, NPM, GO)
SIMPLE: Final = "application/vnd.pypi.simple.v1+json"


class Package(NamedTuple):
    """One version of a package.

    Attributes:
        needs: Requirements, as the ecosystem writes them.
        source: Whether there is no wheel of it: its `setup.py` would run.
        script: What npm would run after installing it.
    """

    name: str
    version: str
    needs: tuple[str, ...] = ()
    source: bool = False
    script: str = ""


def wheel(one: Package) -> bytes:
    """The smallest that is installed: one module that knows its version."""
    info = f"{one.name}-{one.version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in one.needs)
    links = f"Project-URL: Source, https://code.example.com/{one.name}\n"
    links += f"Project-URL: Changelog, https://code.example.com/{one.name}/changes\n"
    said = f"Metadata-Version: 2.1\nName: {one.name}\nVersion: {one.version}\n{links}{needs}"
    files = {
        f"{one.name}.py": f"VERSION = {one.version!r}\n".encode(),
        f"{info}/METADATA": said.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = ("\n".join(lines) + f"\n{info}/RECORD,,\n").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()


def tarball(**files: str) -> bytes:
    """A source distribution of Python's, or a package of npm's, by its files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@dataclass
class Registries:
    """What is served; a test changes it.

    Attributes:
        python: Of the simple index.
        npm: Of npm's.
        go: Of Go's proxy.
        vulnerable: Names and versions that an audit finds.
        moved: Answer by path with a redirection to there.
        down: Whether everything is answered with 503.
        audits: Whether who knows of vulnerabilities answers.
        paged: Whether it says that there is more than it tells.
        seen: Every path that was asked for.
    """

    python: list[Package] = field(default_factory=list[Package])
    npm: list[Package] = field(default_factory=list[Package])
    go: GoProxy = field(default_factory=GoProxy)
    vulnerable: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    moved: dict[str, str] = field(default_factory=dict[str, str])
    down: bool = False
    audits: bool = True
    paged: bool = False
    seen: list[str] = field(default_factory=list[str])
    address: str = ""

    def files(self) -> dict[str, list[str]]:
        """The same without a server, at the registries' own addresses: status, type and content by host and path."""
        self.address = "https:/"
        paths = [f"{INDEX}/simple/{one.name}/" for one in self.python]
        paths += [f"{FILES}/{self._python_file(one)[0]}" for one in self.python]
        paths += [f"{NPM}/{one.name}" for one in self.npm]
        paths += [f"{NPM}/{one.name}/-/{one.name}-{one.version}.tgz" for one in self.npm]
        paths += [f"{GO}/{path}" for path in self.go.paths()]
        answers = {path: self.answer(f"/{path}", b"") for path in paths}
        return {
            path: [str(status), kind, content.decode("latin-1")] for path, (status, kind, content) in answers.items()
        }

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type, content; of a redirection where it leads to."""
        self.seen.append(path)
        if path in self.moved:
            return 301, "", self.moved[path].encode()
        if self.down:
            return 503, "text/plain", b"closed"
        host, _, rest = path.removeprefix("/").partition("/")
        if host == "osv" or rest.startswith("-/npm/v1/security"):
            plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
            return self._audit(path, json.loads(plain or b"{}")) if self.audits else (503, "text/plain", b"closed")
        if host == GO:
            return self.go.answer(rest)
        if host == NPM:
            return self._npm(rest)
        return self._index(rest) if host == INDEX else self._file(rest)

    def _index(self, path: str) -> tuple[int, str, bytes]:
        name = path.removeprefix("simple/").strip("/")
        found = [one for one in self.python if one.name == name]
        files = [
            {
                "filename": file,
                "url": f"{self.address}/{FILES}/{file}",
                "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                "size": len(content),
                "upload-time": "2026-01-01T00:00:00Z",
            }
            for file, content in map(self._python_file, found)
        ]
        page = {
            "meta": {"api-version": "1.1"},
            "name": name,
            "files": files,
            "versions": [one.version for one in found],
        }
        return (200, SIMPLE, json.dumps(page).encode()) if found else (404, "text/plain", b"none")

    @staticmethod
    def _python_file(one: Package) -> tuple[str, bytes]:
        if not one.source:
            return f"{one.name}-{one.version}-py3-none-any.whl", wheel(one)
        folder = f"{one.name}-{one.version}"
        said = f"Metadata-Version: 2.1\nName: {one.name}\nVersion: {one.version}\n"
        files = {f"{folder}/PKG-INFO": said, f"{folder}/setup.py": "open('/tmp/ran', 'w')\n"}
        return f"{folder}.tar.gz", tarball(**files)

    def _file(self, path: str) -> tuple[int, str, bytes]:
        files = dict(map(self._python_file, self.python))
        found = files.get(path)
        return (200, "application/octet-stream", found) if found is not None else (404, "text/plain", b"none")

    def _npm(self, path: str) -> tuple[int, str, bytes]:
        name, _, file = path.partition("/-/")
        found = {one.version: one for one in self.npm if one.name == name}
        if file:
            version = file.removeprefix(f"{name}-").removesuffix(".tgz")
            return 200, "application/octet-stream", self.packed(found[version])
        versions = {version: self._manifest(one) for version, one in found.items()}
        page = {"name": name, "dist-tags": {"latest": [*versions][-1]} if versions else {}, "versions": versions}
        return (200, "application/json", json.dumps(page).encode()) if versions else (404, "text/plain", b"none")

    def _manifest(self, one: Package) -> Mapping[str, Any]:
        content = self.packed(one)
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        url = f"{self.address}/{NPM}/{one.name}/-/{one.name}-{one.version}.tgz"
        needs = dict(need.split("@") for need in one.needs)
        dist = {"tarball": url, "integrity": integrity, "shasum": hashlib.sha1(content).hexdigest()}  # noqa: S324 - npm's
        more = {"hasInstallScript": True} if one.script else {}
        return {"name": one.name, "version": one.version, "dependencies": needs, "dist": dist, **more}

    @staticmethod
    def packed(one: Package) -> bytes:
        needs = dict(need.split("@") for need in one.needs)
        said = {"name": one.name, "version": one.version, "main": "index.js", "dependencies": needs}
        said |= {"homepage": f"https://code.example.com/{one.name}"}
        said |= {"scripts": {"postinstall": one.script}} if one.script else {}
        return tarball(
            **{"package/package.json": json.dumps(said), "package/index.js": f"exports.v = '{one.version}'\n"}
        )

    def _audit(self, path: str, body: Any) -> tuple[int, str, bytes]:
        if path.endswith("/v1/querybatch"):
            asked = [(one["package"]["name"], one["version"]) for one in body["queries"]]
            more = {"next_page_token": "more"} if self.paged else {}
            told = [{"vulns": self._known(one), **more} if one in self.vulnerable else {} for one in asked]
            said: Any = {"results": told}
        elif "/v1/vulns/" in path:
            said = self._told(urllib.parse.unquote(path.rpartition("/")[2]))
        else:
            said = {
                name: [self._advisory(name, one) for one in versions if (name, one) in self.vulnerable]
                for name, versions in body.items()
            }
        return 200, "application/json", json.dumps(said).encode()

    @staticmethod
    def _advisory(name: str, version: str) -> dict[str, Any]:
        said = {"id": 1, "url": f"https://advisories.example.com/{name}", "title": "It can be made to do more."}
        return {**said, "severity": "high", "vulnerable_versions": version, "cwe": [], "cvss": {"score": 0}}

    @staticmethod
    def _known(one: tuple[str, str]) -> list[dict[str, str]]:
        return [{"id": f"OSV-{one[0]}-{one[1]}", "modified": "2026-01-02T00:00:00Z"}]

    @staticmethod
    def _told(name: str) -> dict[str, Any]:
        _, package, version = name.split("-")
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]
        return {
            "id": name,
            "summary": "It can be made to do what it must not.",
            "modified": "2026-01-02T00:00:00Z",
            "affected": [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges, "versions": [version]}],
        }


@contextlib.contextmanager
def serving(registries: Registries) -> Generator[str]:
    """Serve them on a free port of the loopback; the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            status, kind, content = registries.answer(self.path.partition("?")[0], self.rfile.read(size))
            self.send_response(status)
            if status == 301:
                self.send_header("Location", content.decode())
                content = b""
            else:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    registries.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield registries.address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
