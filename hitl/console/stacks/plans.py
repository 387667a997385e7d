"""The whole plan of a stack, behind the digest that people sign.

What they sign has room for a summary only. The whole lies in the artifact store under the digest that is among the
plan's parameters: the bytes are taken only where they are those of the digest, and only where they are a plan of the
same stack at the same commit. Otherwise the page says why it is not there, and shows what is signed alone.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import ValidationError

from connectors.errors import ConnectorError
from connectors.pulumi.approval import (
    DESTROY_ACTION,
    RESTORE_ACTION,
    UP_ACTION,
    ChangeParameters,
    DestroyStackParameters,
    RestoreStateParameters,
    UpdateStackParameters,
)
from connectors.pulumi.stack_plan import StackPlan
from hitl.approval.plan import Plan, PlanError
from hitl.approval.sequence import AnyPlan

MAX_BYTES: Final = 16 * 1024 * 1024
"""A longer one is not read into a page; nobody reads it in one either."""
_PATIENCE_S: Final = 5.0
_PARAMETERS: Final[dict[str, type[ChangeParameters]]] = {
    UP_ACTION: UpdateStackParameters,
    DESTROY_ACTION: DestroyStackParameters,
    RESTORE_ACTION: RestoreStateParameters,
}


class Artifacts(Protocol):
    """Where it lies, as `connectors.artifacts.ArtifactStore`."""

    async def get(self, reference: str) -> bytes:
        """The bytes of that digest. Raises `ConnectorError`."""
        ...


@dataclass(frozen=True, kw_only=True)
class FoundStackPlan:
    """The whole plan, or why there is none.

    Attributes:
        digest: Of its bytes, as the plan's parameters name it; empty where they name none.
        destroy: Whether the stack is destroyed, and no program runs.
        content: The bytes; empty where there is no plan.
        problem: For people; empty where there is a plan.
    """

    digest: str
    destroy: bool
    plan: StackPlan | None = None
    content: bytes = b""
    problem: str = ""


class StackPlans:
    """Reads them. Never raises: a page without the whole is a page."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    async def of(self, plan: AnyPlan | None) -> FoundStackPlan | None:
        """The whole of this plan; None for one that is not about changing a stack."""
        if not isinstance(plan, Plan) or plan.action not in _PARAMETERS:
            return None
        destroy = plan.action == DESTROY_ACTION
        try:
            told = plan.parameters_as(_PARAMETERS[plan.action])
        except PlanError as error:
            return FoundStackPlan(digest="", destroy=destroy, problem=str(error))
        digest = told.whole_plan
        try:
            content = await self._content(digest)
            found = await asyncio.to_thread(_read, content)
        except (_Unusable, ConnectorError) as error:
            return FoundStackPlan(digest=digest, destroy=destroy, problem=str(error))
        if (found.project, found.stack, found.commit) != (told.project, told.stack, told.of_commit):
            problem = "what lies under its digest is the plan of another stack, or of another commit"
            return FoundStackPlan(digest=digest, destroy=destroy, problem=problem)
        return FoundStackPlan(digest=digest, destroy=destroy, plan=found, content=content)

    async def _content(self, digest: str) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                content = await self._artifacts.get(digest)
        except TimeoutError:
            raise _Unusable("the artifact store does not answer in time; reload in a moment") from None
        if len(content) > MAX_BYTES:
            raise _Unusable(f"it has {len(content)} bytes, and a page shows at most {MAX_BYTES}")
        return content


class _Unusable(Exception):
    """Why it is not shown."""


def _read(content: bytes) -> StackPlan:
    try:
        return StackPlan.model_validate_json(content)
    except ValidationError:  # which would quote what it refused
        raise _Unusable("what lies under its digest is no plan of a stack that this release reads") from None
