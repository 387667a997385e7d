"""Where the App is installed: the names and ids of repositories, as GitHub lists them, and no more of any."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator
from typing import Final

from pydantic import BaseModel

from connectors.github.api import Api, Question
from connectors.github.client import KEY_REFUSED, GitHubApp, TokenAnswer, app_jwt, revoke, to_the_end
from connectors.github.models import AppCredentials
from connectors.github.registration import AppSession

PAGE: Final = 100
"""As many as GitHub gives at once."""
_GONE: Final = "the App is no longer installed there"


class InstalledRepository(BaseModel):
    """A repository that an installation covers, and by what many are told apart."""

    full_name: str
    id: int
    private: bool = True
    topics: tuple[str, ...] = ()
    archived: bool = False


class _Repositories(BaseModel):
    repositories: list[InstalledRepository]


async def installed_repositories(github: GitHubApp, credentials: AppCredentials, *, most: int) -> list[str]:
    """`OWNER/NAME` of each repository that the App is installed on, in order, and at most so many.

    Args:
        github: Where it is.
        credentials: The App.
        most: How many are wanted.

    Raises:
        AuthDenied: GitHub refuses the App's key.
        ConnectorError: Anything else, by the tree.
    """
    return [one.full_name for one in await describe_installed(github, credentials, most=most)]


async def describe_installed(github: GitHubApp, credentials: AppCredentials, *, most: int) -> list[InstalledRepository]:
    """Each repository that the App is installed on, in order of their names, and at most so many.

    Each installation is asked with a token that may see names alone; it is revoked, whatever ended it. Those that are
    suspended are left out.

    Args:
        github: Where it is.
        credentials: The App.
        most: How many are wanted.

    Raises:
        AuthDenied: GitHub refuses the App's key.
        ConnectorError: Anything else, by the tree.
    """
    api, found = github.api(), list[InstalledRepository]()
    try:
        api.authenticate(app_jwt(credentials))
        for one in await AppSession(api).installations():
            if one.suspended_at is not None:
                continue
            found += await _of_one(api, credentials, one.id, most - len(found))
            if len(found) >= most:
                break
    finally:
        api.close()
    return sorted(found[:most], key=lambda one: one.full_name)


async def covered_by(
    github: GitHubApp, credentials: AppCredentials, number: int, *, most: int
) -> list[InstalledRepository]:
    """What one installation covers, and at most so many.

    Raises:
        ConnectorError: By the tree.
    """
    api = github.api()
    try:
        return await _of_one(api, credentials, number, most)
    finally:
        api.close()


async def _of_one(api: Api, credentials: AppCredentials, number: int, most: int) -> list[InstalledRepository]:
    async with as_installation(api, credentials, number):
        return await _listed(api, most)


@contextlib.asynccontextmanager
async def as_installation(api: Api, credentials: AppCredentials, number: int) -> AsyncGenerator[None]:
    """Within the block the connection has a token of one installation that may see names alone; it is revoked after it.

    Raises:
        AuthDenied: GitHub refuses the App's key.
        ConnectorError: Anything else, by the tree.
    """
    api.authenticate(app_jwt(credentials))
    minting = asyncio.create_task(_mint(api, number))
    try:
        await to_the_end(minting)
        yield
    finally:
        if not minting.cancelled() and minting.exception() is None:
            await to_the_end(asyncio.create_task(revoke(api, f"installation {number}")))


async def _mint(api: Api, number: int) -> None:
    """Go on with a token of that installation that may see names alone, instead of the App's JWT.

    Raises:
        ConnectorError: By the tree.
    """
    question = Question(
        what=f"a token for installation {number}",
        method="POST",
        path=f"/app/installations/{number}/access_tokens",
        body={"permissions": {"metadata": "read"}},
        missing=_GONE,
        denied=KEY_REFUSED,
    )
    api.authenticate((await api.ask(question, TokenAnswer.model_validate_json)).token)


async def _listed(api: Api, most: int) -> list[InstalledRepository]:
    found: list[InstalledRepository] = []
    for page in itertools.count(1):
        question = Question(
            what="the repositories of an installation",
            path="/installation/repositories",
            query={"per_page": str(PAGE), "page": str(page)},
            missing=_GONE,
            denied="GitHub refuses our token for the names of repositories: grant the App `metadata: read`",
        )
        told = (await api.ask(question, _Repositories.model_validate_json)).repositories
        found += told
        if len(told) < PAGE or len(found) >= most:
            break
    return found[:most]
