"""GitHub's twin behind a real uvicorn on a free port, and real git repositories to put into it."""

import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.github.models import AppCredentials
from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.auth import Authority
from tests.connectors.serving import served

CLIENT_ID = "Iv23liTestApp"
_PATIENCE = 10.0
# One for all: to make a client takes longer than most requests. Nothing is kept open between them.
WEB = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))


@dataclass(frozen=True)
class Key:
    """An RSA key pair."""

    private: str
    public: str

    @classmethod
    def make(cls) -> "Key":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(private.decode(), public.decode())

    def app(self, client_id: str = CLIENT_ID) -> AppCredentials:
        return AppCredentials(client_id=client_id, private_key=SecretStr(self.private))


@dataclass
class Clock:
    """The twin's time: the real one, moved at will."""

    moved: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.moved


@dataclass
class Twin:
    """A running twin."""

    url: str
    config: TwinConfig
    authority: Authority
    clock: Clock
    key: Key
    http: httpx.Client

    def plant(self, *faults: Mapping[str, object]) -> None:
        response = WEB.post(f"{self.url}/_twin/faults", json=list(faults))
        assert response.status_code == 201, response.text

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of what was asked since `forget`."""
        seen = cast("list[dict[str, Any]]", WEB.get(f"{self.url}/_twin/requests").json())
        return [(str(one["method"]), str(one["path"])) for one in seen]

    def forget(self) -> None:
        WEB.delete(f"{self.url}/_twin/faults").raise_for_status()
        WEB.delete(f"{self.url}/_twin/requests").raise_for_status()
        self.clock.moved = 0.0
        self.authority._tokens.clear()

    def token(self, *repositories: str, owner: str = "acme", **permissions: str) -> str:
        """A token as the twin would mint it."""
        return self.authority.mint(owner, frozenset(repositories), permissions or {"contents": "read"})[0]

    def remote(self, token: str, repository: str) -> str:
        return f"{self.url.replace('://', f'://x-access-token:{token}@')}/{repository}.git"


@contextmanager
def running_twin(config: TwinConfig, key: Key) -> Generator[Twin]:
    clock = Clock()
    app = create_twin(config, clock=clock)
    with served(app) as url, httpx.Client(timeout=10) as http:
        yield Twin(url, config, app.state.authority, clock, key, http)


def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not so after {_PATIENCE:.0f} s: {what}"
        threading.Event().wait(0.01)


def git(
    at: Path, *arguments: str, check: bool = True, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """git as a user would run it, without the configuration of the one who runs the tests."""
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "HOME": str(at),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()},
    }
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=at,
        env=environment,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert not check or done.returncode == 0, f"git {arguments}: {done.stderr.decode()}"
    return done


_PERSON = {"NAME": "Ada", "EMAIL": "ada@example.com", "DATE": "2026-11-01T10:00:00+01:00"}


def head(at: Path, ref: str = "HEAD") -> str:
    return git(at, "rev-parse", ref).stdout.decode().strip()


def make_repository(at: Path, files: Mapping[str, bytes | str], *, message: str = "First") -> Path:
    """A work tree with one commit."""
    at.mkdir(parents=True)
    git(at, "init", "--quiet", "--initial-branch=main")
    commit(at, files, message=message)
    return at


def commit(at: Path, files: Mapping[str, bytes | str], *, message: str = "Next") -> str:
    for name, content in files.items():
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--allow-empty", "-m", message)
    return head(at)


def all_refs(repositories: Path) -> dict[str, str]:
    """Every ref of every repository there, to see whether an attack moved one."""
    return {
        f"{folder.parent.name}/{folder.name}": git(folder, "for-each-ref").stdout.decode()
        for folder in repositories.glob("*/*.git")
    }
