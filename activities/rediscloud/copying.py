"""The step that copies what stands at Redis Cloud."""

from activities.copies.contracts import CopyStateRequest, StateCopied
from activities.copies.keeping import keep_copy
from activities.rediscloud.contracts import COPY_STATE
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.http import Api
from connectors.rediscloud.client import DIALECT, account
from connectors.rediscloud.copy import copy_account
from connectors.rediscloud.manifest import READ


class RedisCloudCopying:
    """The step.

    Args:
        vault: Makes the token that reads the key.
        artifacts: Keeps the copy.
        base_url: Where Redis Cloud is.
    """

    def __init__(self, vault: StepTokens, *, artifacts: ArtifactStore, base_url: str) -> None:
        self._vault, self._artifacts, self._api = vault, artifacts, Api(DIALECT, base_url=base_url)

    @implements(COPY_STATE)
    async def copy_state(self, request: CopyStateRequest) -> StateCopied:
        """Copy the account.

        Raises:
            InvalidRequest: A part of it was asked for.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        if request.part:
            raise InvalidRequest(f"Redis Cloud is copied whole: leave {request.part!r} out")
        async with secret_for_step(self._vault, READ) as fields, self._api.open(account(fields)) as session:
            copied = await copy_account(session)
        return await keep_copy(self._artifacts, copied)
