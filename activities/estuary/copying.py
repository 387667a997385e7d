"""The step that copies what is live at Estuary."""

from activities.copies.contracts import StateCopied
from activities.copies.keeping import keep_copy
from activities.estuary.contracts import COPY_STATE, CopyFlowsRequest
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.estuary import manifest
from connectors.estuary.client import Estuary
from connectors.estuary.copy import copy_catalog


class EstuaryCopying:
    """The step.

    Args:
        vault: Makes the token that reads the account.
        artifacts: Keeps the copy.
        base_url: Where Estuary is.
    """

    def __init__(self, vault: StepTokens, *, artifacts: ArtifactStore, base_url: str) -> None:
        self._vault, self._artifacts = vault, artifacts
        self._estuary = Estuary(manifest.ACCOUNT, base_url=base_url)

    @implements(COPY_STATE)
    async def copy_state(self, request: CopyFlowsRequest) -> StateCopied:
        """Copy all below a prefix.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with (
            secret_for_step(self._vault, manifest.READ) as fields,
            self._estuary.open(fields) as account,
        ):
            copied = await copy_catalog(account, request.part)
        return await keep_copy(self._artifacts, copied)
