"""Sessions of steps that read and write: each leases an installation token for one repository, and gives it back."""

import contextlib
from collections.abc import AsyncGenerator, Mapping

from activities.guard.renamed import require_also
from activities.secrets import StepTokens, secret_for_step
from connectors.github import manifest
from connectors.github.client import GitHubApp
from connectors.github.content import GitHubSession
from connectors.github.models import AppCredentials
from connectors.github.permissions import require_within
from connectors.provider import Credential


@contextlib.asynccontextmanager
async def session_for_step(
    github: GitHubApp, vault: StepTokens, *, credential: Credential, repository: str, permissions: Mapping[str, str]
) -> AsyncGenerator[GitHubSession]:
    """A session for the step that runs now; its token ends with the block.

    Args:
        github: Opens it.
        vault: Makes the token that reads the App's key, and nothing else.
        credential: What that token is of.
        repository: The one that it is narrowed to.
        permissions: All that it may do there.

    One that has another name by now is gone on with where the step may touch it under that, too.

    Raises:
        ValueError: Its credential is not for that.
    """
    require_within(credential, permissions)
    async with (
        secret_for_step(vault, credential) as app,
        github.session(
            AppCredentials.of(app), repository=repository, permissions=permissions, renamed=require_also
        ) as session,
    ):
        yield session


def reading_session(
    github: GitHubApp, vault: StepTokens, repository: str, *permissions: str
) -> contextlib.AbstractAsyncContextManager[GitHubSession]:
    """The same for a step that reads: with the ordinary App, and of these kinds of things alone."""
    reads = dict.fromkeys(permissions, "read")
    return session_for_step(github, vault, credential=manifest.READ, repository=repository, permissions=reads)
