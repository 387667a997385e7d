"""GitHub as a GitHub App: a session on one repository, with a token narrowed to what the step needs.

A session costs two requests around the work, three when the installation's number is not known: the token is made at
the start and revoked at the end, whatever ended it.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import jwt
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, Field

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, Unavailable
from connectors.github.api import Api, Question
from connectors.github.content import GitHubSession
from connectors.github.models import AppCredentials
from connectors.github.pace import Pace
from connectors.limits import Allowance

_INSTALLATION_KEPT: Final = 300.0
_JWT_LIFE: Final = 540
_JWT_SKEW: Final = 60
KEY_REFUSED: Final = (
    "GitHub refuses the App's private key: it was deleted there, or the clock is off; put a new key into Vault "
    "at banksman/github/app"
)
# GitHub allows no other characters; a name of dots alone is none.
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_MOVED: Final = re.compile(r"/repositories/(?P<id>[0-9]{1,15})/installation$")
_log = structlog.get_logger("banksman.github")

T = TypeVar("T")


Rename = Callable[[str], None]
"""Is told the present name, `OWNER/NAME`, of a repository that was asked for by a former one; refuses by raising."""


class _Account(BaseModel):
    login: str


class _InstallationAnswer(BaseModel):
    id: int
    account: _Account


class _Named(BaseModel):
    full_name: str


class TokenAnswer(BaseModel):
    """A token of an installation."""

    token: str


class _NarrowToken(TokenAnswer):
    repositories: list[_Named] = Field(default_factory=list[_Named])


@dataclass(frozen=True)
class _Installation:
    number: int
    until: float


class _Found(NamedTuple):
    """Where the App is installed. Attributes: repository, its id where it has another name by now."""

    number: int
    repository: int | None


def refuse_renamed(former: str) -> Rename:
    """What is done where nobody asks whether the present name may be touched as well."""

    def refuse(name: str) -> None:
        raise InvalidRequest(f"{former!r} is called {name!r} by now: ask for it by that name")

    return refuse


@dataclass(frozen=True)
class Lately:
    """What this process asked of one installation, and for how many seconds it waits."""

    closed_for: float
    minute: int
    hour: int


class GitHubApp:
    """Opens sessions for a GitHub App. GitHub limits each installation, so all sessions on one owner wait together.

    Args:
        base_url: The API: `https://api.github.com`, `https://HOST/api/v3`, or the twin's.
        timeout: Seconds for one call.
    """

    def __init__(self, *, base_url: str = "https://api.github.com", timeout: int = 10) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._installations: dict[tuple[str, str], _Installation] = {}
        self._allowances: dict[tuple[str, str], Allowance] = {}
        self._paces: dict[str, Pace] = {}

    @contextlib.asynccontextmanager
    async def session(
        self,
        credentials: AppCredentials,
        *,
        repository: str,
        permissions: Mapping[str, str],
        renamed: Rename | None = None,
    ) -> AsyncGenerator[GitHubSession]:
        """A session on one repository; its token is revoked when the block ends, whatever ended it.

        A cancellation while the token is made waits for GitHub's answer, so that the token is known and revoked.

        Args:
            credentials: The App.
            repository: `OWNER/NAME`.
            permissions: As GitHub names them, for example `{"contents": "read"}`.
            renamed: Is asked before the session goes on with a repository that has another name by now; without it
                that is refused. One that belongs to another owner by now is refused always.

        Raises:
            AuthDenied: GitHub refuses the App's key, or the App lacks a permission.
            NotFound: The App is not installed on this repository.
            InvalidRequest: The repository's name is none, or no longer its name.
            ConnectorError: Anything else, by the tree.
        """
        if not _REPOSITORY.fullmatch(repository):
            raise InvalidRequest(f"{repository!r} is not a repository: name it as 'OWNER/NAME'")
        account = (credentials.client_id, repository.partition("/")[0].lower())
        allowance = self._allowances.setdefault(account, Allowance())
        pace = self._pace(repository)
        api = Api(base_url=self._base_url, timeout=self._timeout, allowance=allowance, pace=pace)
        try:
            api.authenticate(app_jwt(credentials))
            minting = asyncio.create_task(self._mint(api, credentials.client_id, repository, permissions))
            try:
                name, number = await to_the_end(minting)
                if name != repository:
                    (renamed or refuse_renamed(repository))(name)
                yield GitHubSession(api, name, credentials.client_id, installation=number)
            finally:
                if _succeeded(minting):
                    await to_the_end(asyncio.create_task(revoke(api, repository)))
        finally:
            api.close()

    def has_room(self, repository: str) -> bool:
        """Whether what may be left out may be written there now: much was written there lately, or not."""
        return self._pace(repository).has_room

    def lately(self, client_id: str, owner: str) -> Lately:
        """How this process stands with the installation on that owner."""
        allowance, pace = self._allowances.get((client_id, owner.lower())), self._paces.get(owner.lower(), Pace())
        closed_for = allowance.closed_for if allowance is not None else 0.0
        return Lately(closed_for, minute=pace.written(60), hour=pace.written(3600))

    def _pace(self, repository: str) -> Pace:
        return self._paces.setdefault(repository.partition("/")[0].lower(), Pace())

    def api(self) -> Api:
        """One connection, with an allowance of its own, for what is asked of no one repository."""
        return Api(base_url=self._base_url, timeout=self._timeout, allowance=Allowance())

    async def _mint(self, api: Api, client_id: str, repository: str, permissions: Mapping[str, str]) -> tuple[str, int]:
        """Make a token, and go on with it instead of the App's JWT.

        Gives the name that the repository has now, and the number of the App's installation.
        """
        key = (client_id, repository)
        kept = self._installations.get(key)
        if kept is not None and kept.until > time.monotonic():
            # Installed anew or renamed meanwhile: then the installation has another number, or no such repository.
            with contextlib.suppress(NotFound, InvalidRequest):
                api.authenticate((await _asked_token(api, kept.number, repository, permissions)).token)
                return repository, kept.number
        self._installations.pop(key, None)
        found = await _installation(api, repository)
        answer = await _token(api, found.number, repository, permissions, found.repository)
        name = repository if found.repository is None else _present_name(answer, repository)
        if name == repository:
            self._installations[key] = _Installation(found.number, time.monotonic() + _INSTALLATION_KEPT)
        api.authenticate(answer.token)
        return name, found.number


async def _installation(api: Api, repository: str) -> _Found:
    """The App's installation. Its number is no secret, so it is kept for some minutes.

    Raises:
        InvalidRequest: The repository belongs to another owner by now.
        ConnectorError: Anything else, by the tree.
    """
    question = Question(
        what=f"the App's installation on {repository!r}",
        path=f"/repos/{repository}/installation",
        missing=_not_installed(repository),
        denied=KEY_REFUSED,
    )
    answer, around = await api.ask_around(question, _InstallationAnswer.model_validate_json)
    moved = _MOVED.search(around.moved)
    owner = repository.partition("/")[0]
    if moved is not None and answer.account.login.lower() != owner.lower():
        raise InvalidRequest(
            f"{repository!r} was given to {answer.account.login!r}, and nothing that was allowed for {owner!r} counts "
            "there: ask for it by its new name"
        )
    return _Found(answer.id, int(moved["id"]) if moved is not None else None)


async def _token(
    api: Api, installation: int, repository: str, permissions: Mapping[str, str], number: int | None
) -> _NarrowToken:
    """A token for one repository.

    Raises:
        AuthDenied: The installation does not cover this repository, or lacks a permission.
        ConnectorError: Anything else, by the tree.
    """
    try:
        return await _asked_token(api, installation, repository, permissions, number)
    except InvalidRequest as error:
        raise AuthDenied(_refused(repository, permissions)) from error


async def _asked_token(
    api: Api, installation: int, repository: str, permissions: Mapping[str, str], number: int | None = None
) -> _NarrowToken:
    """The same, by the repository's id where that is known; a 422 is `InvalidRequest`."""
    narrow = {"repositories": [repository.partition("/")[2]]} if number is None else {"repository_ids": [number]}
    question = Question(
        what=f"a token for {repository!r}",
        method="POST",
        path=f"/app/installations/{installation}/access_tokens",
        body={**narrow, "permissions": dict(permissions)},
        missing=_not_installed(repository),
        denied=_refused(repository, permissions),
        unauthorized=KEY_REFUSED,
    )
    return await api.ask(question, _NarrowToken.model_validate_json)


def _refused(repository: str, permissions: Mapping[str, str]) -> str:
    return f"GitHub gives the App no token with {dict(permissions)!r} on {repository!r}: grant it these permissions"


def _present_name(answer: _NarrowToken, former: str) -> str:
    """The name of the one repository that a token is for.

    Raises:
        Unavailable: GitHub does not say it, or it is none.
    """
    names = [one.full_name for one in answer.repositories]
    owner = former.partition("/")[0].lower()
    if len(names) != 1 or not _REPOSITORY.fullmatch(names[0]) or names[0].partition("/")[0].lower() != owner:
        raise Unavailable(f"GitHub does not say what {former!r} is called by now; it is tried again")
    return names[0]


async def revoke(api: Api, repository: str) -> None:
    """End the token that is used now; one that cannot be ended ends by itself.

    Args:
        api: Uses it.
        repository: Of what it is, for the log.
    """
    gone = "the token is gone already"
    question = Question(
        what="the end of a token",
        method="DELETE",
        path="/installation/token",
        missing=gone,
        denied=gone,
        at_any_rate=True,
    )
    try:
        await api.ask(question, str)
    except ConnectorError as error:
        # It ends by itself within the hour; the step's own outcome matters more.
        _log.warning("installation token not revoked; it ends by itself", repository=repository, why=str(error))


def app_jwt(credentials: AppCredentials) -> str:
    """The App's JWT, as GitHub's documentation wants it: issued a minute ago, for at most ten minutes."""
    try:
        # Checking that the key's numbers are primes takes 40 ms and protects nobody: the key is our own.
        key = load_pem_private_key(
            credentials.private_key.get_secret_value().encode(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthDenied(_unusable(credentials)) from error
    if not isinstance(key, RSAPrivateKey):
        raise AuthDenied(_unusable(credentials))
    now = int(time.time())
    claims = {"iat": now - _JWT_SKEW, "exp": now + _JWT_LIFE, "iss": credentials.client_id}
    return jwt.encode(claims, key, algorithm="RS256")


def _unusable(credentials: AppCredentials) -> str:
    return (
        f"the private key of the GitHub App {credentials.client_id!r} is not an RSA key in PEM: put the file that "
        "GitHub gave into Vault at banksman/github/app"
    )


def _not_installed(repository: str) -> str:
    return f"the GitHub App is not installed on {repository!r}, or there is no such repository: install it there"


def _succeeded(task: "asyncio.Task[tuple[str, int]]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def to_the_end(task: "asyncio.Task[T]") -> T:
    """Wait for a task even when cancelled meanwhile; the cancellation is then raised after it."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
