"""Sessions of steps that read and write: each leases an installation token for one repository, and gives it back."""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta

from temporalio import activity

from activities.github.ports import GitHub, GitHubSession
from activities.secrets import StepTokens
from connectors.provider import Credential


@contextlib.asynccontextmanager
async def session_for_step(
    github: GitHub, vault: StepTokens, *, credential: Credential, repository: str, permissions: Mapping[str, str]
) -> AsyncGenerator[GitHubSession]:
    """A session for the step that runs now; its token ends with the block.

    Args:
        github: Opens it.
        vault: Makes the token that reads the App's key, and nothing else.
        credential: What that token is of.
        repository: The one that it is narrowed to.
        permissions: All that it may do there.
    """
    info = activity.info()
    lifetime = (info.start_to_close_timeout or timedelta(minutes=1)) + timedelta(seconds=60)
    metadata = {"workflow_id": info.workflow_id or "", "run_id": info.workflow_run_id or ""}
    metadata["attempt"] = str(info.attempt)
    async with vault.step(credential.name, metadata=metadata, ttl=lifetime) as token:
        app = await token.read(credential.secret.path)
        token.release_soon()
        async with github.session(app, repository=repository, permissions=permissions) as session:
            yield session
