"""The step that copies a project of Neon."""

from activities.copies.contracts import CopyProjectRequest, StateCopied
from activities.copies.keeping import keep_copy
from activities.neon.contracts import COPY_STATE
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.http import Api
from connectors.neon.client import DIALECT, credential
from connectors.neon.copy import copy_project
from connectors.neon.manifest import READ


class NeonCopying:
    """The step.

    Args:
        vault: Makes the token that reads the key.
        artifacts: Keeps the copy.
        base_url: Where Neon is.
    """

    def __init__(self, vault: StepTokens, *, artifacts: ArtifactStore, base_url: str) -> None:
        self._vault, self._artifacts, self._api = vault, artifacts, Api(DIALECT, base_url=base_url)

    @implements(COPY_STATE)
    async def copy_state(self, request: CopyProjectRequest) -> StateCopied:
        """Copy one project.

        Raises:
            InvalidRequest: None was named.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        if not request.part:
            raise InvalidRequest("one project of Neon is copied: name it by its id")
        async with secret_for_step(self._vault, READ) as fields, self._api.open(credential(fields)) as session:
            copied = await copy_project(session, request.part)
        return await keep_copy(self._artifacts, copied)
