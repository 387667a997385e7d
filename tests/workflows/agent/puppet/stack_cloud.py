"""Stacks in Pulumi Cloud's twin: the steps ask it what the CLI would, and what is done to a stack stands in its book.

Pulumi itself does not run here: no program, no container. What is held is who has a stack changed, and how often.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx
from pydantic import JsonValue

from activities.guard.granted import GrantedRequest
from activities.pulumi.contracts import (
    DETECT_DRIFT,
    PREPARE_STACK,
    PREVIEW_STACK,
    READ_HISTORY,
    READ_OUTPUTS,
    REFRESH_STACK,
    SEAL_CREDENTIALS,
    UPDATE_STACK,
    Deployment,
    DriftLook,
    DriftSeen,
    OutputsLook,
    PreparedStack,
    PrepareStackRequest,
    PreviewRequest,
    SealCredentialsRequest,
    SealedCredentials,
    StackChanged,
    StackHistory,
    StackLook,
    StackOutputs,
    StackPreviewed,
)
from activities.step import implements
from connectors.pulumi.approval import UP_ACTION
from connectors.pulumi.history import Made, made_message, read_message
from connectors.pulumi.outcome import Ended, UpOutcome
from hitl.approval.plan import Change, Plan, PlanParameters, Resource, Risk
from tests.sandbox.pulumi.cloud.twin import Twin

_ORGANIZATION: Final = "acme"
_PROJECT: Final = "infra"
_TOKEN: Final = "pul-of-the-town"
_DIGEST: Final = f"sha256:{'a' * 64}"
_STATE: Final = "0" * 64
_SEEN: Final = DriftSeen(state=_STATE, looked_at=1, missing=0)
DEPLOYMENTS: Final = 9


class Update(PlanParameters):
    """What people approve: the stack, and at which commit."""

    repository: str
    stack: str
    commit: str


class StackCloud:
    """The steps on stacks, over the twin's HTTP API.

    Args:
        repository: Of the program.
        commit: At which each deployment was made.
    """

    def __init__(self, repository: str, commit: str) -> None:
        self.twin = Twin()
        self.twin.service.accounts[_TOKEN] = "somebody"
        self.twin.service.organizations["somebody"] = _ORGANIZATION
        self._web = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.twin.app), base_url="https://pulumi.test")
        self._made = Made(repository=repository, commit=commit, folder=".")

    async def build(self, stack: str) -> None:
        """A stack with its deployments."""
        await self._ask("POST", f"/api/stacks/{_ORGANIZATION}/{_PROJECT}", {"stackName": stack})
        for _ in range(DEPLOYMENTS):
            await self._run("update", stack)
        self.twin.seen.clear()

    @property
    def changes(self) -> list[str]:
        """The stacks that are there, each with everything that was done to it but dry runs, the oldest first."""
        stacks = self.twin.service.stacks.items()
        return [
            line
            for name, stack in stacks
            for line in ("/".join(name), *(f"{one.kind} {one.version}" for one in reversed(stack.history)))
        ]

    def version(self, stack: str) -> int:
        """How many deployments a stack has seen."""
        return self.twin.service.stacks[_ORGANIZATION, _PROJECT, stack].version

    @implements(SEAL_CREDENTIALS)
    async def seal(self, request: SealCredentialsRequest) -> SealedCredentials:
        return SealedCredentials(secrets="sealed")

    @implements(PREPARE_STACK)
    async def prepare(self, request: PrepareStackRequest) -> PreparedStack:
        return PreparedStack(project=_PROJECT, commit=request.source.commit, prepared=_DIGEST)

    @implements(REFRESH_STACK)
    async def refresh(self, request: StackLook) -> DriftSeen:
        return _SEEN

    @implements(DETECT_DRIFT)
    async def detect(self, request: DriftLook) -> DriftSeen:
        return _SEEN

    @implements(READ_OUTPUTS)
    async def outputs(self, request: OutputsLook) -> StackOutputs:
        return StackOutputs(state=_STATE, exported=_DIGEST, otherwise=0)

    @implements(READ_HISTORY)
    async def history(self, request: StackLook) -> StackHistory:
        told = await self._ask("GET", f"{_stack(request.place.stack)}/updates")
        entries: Any = told["updates"]
        return StackHistory(deployments=tuple(map(_deployment, entries)))

    @implements(PREVIEW_STACK)
    async def preview(self, request: PreviewRequest) -> StackPreviewed:
        place, commit = request.place, request.prepared.commit
        await self._run("preview", place.stack)
        plan = Plan(
            action=UP_ACTION,
            parameters=Update(repository=place.repository, stack=place.stack, commit=commit).model_dump(),
            resources=(Resource(kind="banksman:postgres:Database", name=place.stack, change=Change.UPDATE),),
            summary=(request.why or "1 to update",),
            risk=Risk.LOW,
        )
        return StackPreviewed(state=_STATE, plan=plan.text(), whole_plan=_DIGEST, headline="1 to update")

    @implements(UPDATE_STACK)
    async def update(self, request: GrantedRequest) -> StackChanged:
        await self._run("update", request.approved().parameters_as(Update).stack)
        return StackChanged(outcome=UpOutcome(ended=Ended.APPLIED, outputs_recorded=True))

    async def _run(self, kind: str, stack: str) -> None:
        """One update or preview from its beginning to its end."""
        metadata: dict[str, JsonValue] = {"message": made_message(self._made), "environment": {}}
        made = await self._ask("POST", f"{_stack(stack)}/{kind}", {"metadata": metadata})
        one = f"{_stack(stack)}/update/{made['updateID']}"
        begun = await self._ask("POST", one, {})
        await self._ask("POST", f"{one}/complete", {"status": "succeeded"}, f"update-token {begun['token']}")

    async def _ask(
        self, method: str, path: str, body: Mapping[str, JsonValue] | None = None, credential: str = f"token {_TOKEN}"
    ) -> dict[str, JsonValue]:
        answer = await self._web.request(method, path, json=body, headers={"Authorization": credential})
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else {}


def _stack(name: str) -> str:
    return f"/api/stacks/{_ORGANIZATION}/{_PROJECT}/{name}"


def _deployment(entry: Any) -> Deployment:
    made = read_message(entry["message"])
    return Deployment(
        version=entry["version"], kind=entry["kind"], result=entry["result"], commit=made.commit if made else None
    )
