"""Prepares GitHub's twin: real bare repositories from local ones, and a GitHub App with a key of its own."""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.github.bare import BareRepository, iso
from connectors.github.git import GitError, git, import_repository
from connectors.github.manifest import APP, DESTRUCTIVE_APP, WEBHOOK
from connectors.github.twin.app import TwinConfig
from connectors.github.twin.apps import AppHook, secret_of_first
from connectors.github.twin.copies import bring_copies
from connectors.github.twin.people import Role
from connectors.github.twin.pulls import Pull
from connectors.github.twin.writes import Kept, keep_besides_git
from connectors.twins import PreparedTwin, TwinPlace

OLD_BRANCH: Final = "banksman/old-idea"
"""Behind the twin there is always a branch that may go."""

CLIENT_ID: Final = "Iv23liBanksmanEmbedded"

COLLABORATORS: Final[Mapping[str, Role]] = {"alice": "admin", "boris": "write", "chika": "write"}
"""Of every repository: the people of the embedded environment's policy."""


class RepositoryUnusable(ValueError):
    """A path given as a repository is none, or has no commit."""


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Bring each repository behind the twin up to date, and make the App's key where there is none.

    Raises:
        RepositoryUnusable: One of them is no git repository, or has no commit.
    """
    bare = place.root / "repositories"
    beside = place.root / "twins" / "github"
    beside.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.copied is not None:
        await bring_copies(place.copied / "github", bare, beside)
    for name, source in place.repositories.items():
        await _import(name, source, bare)
        await make_branch(bare / f"{name}.git", OLD_BRANCH)
    for name, branch in place.proposed.items():
        await _propose(bare / f"{name}.git", branch, beside / f"{name.replace('/', '.')}.json")
    key = await asyncio.to_thread(_app_key, place)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    secret = _webhook_secret(place, beside)
    hook = AppHook(url=place.webhook, secret=secret) if place.webhook else None
    config = TwinConfig(
        repositories=bare,
        client_id=CLIENT_ID,
        public_key=public.decode(),
        listen=place.listen,
        beside=beside,
        hook=hook,
        collaborators={name: dict(COLLABORATORS) for name in place.repositories},
    )
    app = {"client_id": SecretStr(CLIENT_ID), "private_key": SecretStr(_pem(key).decode())}
    return PreparedTwin(
        configuration=place.keep("github.json", config.model_dump_json(indent=2).encode()),
        # In production an App of its own, which alone gets past the repository's rules against deletion.
        secrets={APP.path: app, DESTRUCTIVE_APP.path: app, WEBHOOK.path: {"secret": SecretStr(secret)}},
    )


async def _import(name: str, source: Path, bare: Path) -> None:
    try:
        await import_repository(source, bare / f"{name}.git")
    except GitError as error:
        raise RepositoryUnusable(
            f"the repository {name!r} cannot be put behind the GitHub twin: {error}. "
            f"Give --repository {name}=PATH the path of a git repository with a commit"
        ) from error


async def make_branch(repository: Path, branch: str) -> None:
    """A branch to lose, behind the twin only: with one commit that nothing else holds. One that is there stays.

    Raises:
        GitError: git fails.
    """
    ref = f"refs/heads/{branch}"
    if await git("for-each-ref", ref, at=repository):
        return
    who = ("-c", "user.name=Banksman", "-c", "user.email=banksman@example.com")
    message = f"Try something that nobody needs\n\nOn {branch}."
    made = await git(*who, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", message, at=repository)
    await git("update-ref", ref, made.decode().strip(), at=repository)


async def _propose(repository: Path, branch: str, file: Path) -> None:
    """An open pull request of a branch, as if somebody had opened it. What is kept of an earlier start stays."""
    if file.exists():
        return
    said = await git("log", "-1", "--format=%s%n%ct%n%b", f"refs/heads/{branch}", at=repository)
    title, seconds, body = said.decode(errors="replace").split("\n", 2)
    base = BareRepository(repository).default_branch()
    pull = Pull(number=1, title=title, body=body.strip(), head=branch, base=base, draft=False, at=iso(int(seconds)))
    keep_besides_git(file, Kept(pulls=[pull]))


def _app_key(place: TwinPlace) -> rsa.RSAPrivateKey:
    """The App's key: kept, so that a second `up` finds in Vault what it expects."""
    kept = place.kept("github-app.pem")
    if kept.exists():
        key = serialization.load_pem_private_key(kept.read_bytes(), password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            return key
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    place.keep("github-app.pem", _pem(made))
    return made


def _webhook_secret(place: TwinPlace, beside: Path) -> str:
    """What is there, so that a second `up` finds in Vault what it expects; else a new one."""
    if (changed := secret_of_first(beside / "apps.json")) is not None:
        return changed
    kept = place.kept("github-webhook.secret")
    if kept.exists():
        return kept.read_text(encoding="ascii")
    made = secrets.token_hex(32)
    place.keep("github-webhook.secret", made.encode())
    return made


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
