"""What the benches of approvals play themselves: the policy, the steps on GitHub, the messages, the hand that signs."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Never

import httpx
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.approvals.rules import ApprovalRuleActivities
from activities.github.contracts import BranchDeleted, BranchSeen, LookAtBranchRequest
from activities.guard.granted import GrantedRequest
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from bench.system import Site
from connectors.authorities import authorities
from connectors.errors import Unavailable
from workflows.approval.contracts import POST_APPROVAL, UPDATE_APPROVAL, PostApproval, PostedApproval, UpdateApproval

ENVIRONMENT_RULES: Final = """\
people:
  alice: [slack:U0ALICE]
groups:
  platform: [alice]
environments:
  local:
    phase: production
    slack_channel: C0DEPLOYS
    actions: [{allow: github.*}]
    approvals:
      - {action: github.delete_branch, groups: [platform], unverified_requester: allow}
"""
_HEAD: Final = "d" * 40


class Played:
    """Steps without a provider behind them.

    Attributes:
        shown: How many approvals people were shown.
    """

    def __init__(self, policy: PolicySource) -> None:
        self._rules = ApprovalRuleActivities(policy)
        self._begun: dict[str, asyncio.Future[float]] = {}
        self._shown: dict[str, asyncio.Event] = {}
        self.shown = 0

    def github(self, client: Client) -> list[Worker]:
        """The steps on GitHub."""
        connectors = [self.look_at_branch, self._rules.resolve_rule]
        return [
            Worker(client, task_queue=TaskQueue.CONNECTORS, activities=connectors),
            Worker(client, task_queue=TaskQueue.DESTRUCTIVE, activities=[self.delete_branch]),
        ]

    def messages(self, client: Client) -> list[Worker]:
        """The gateway's steps; with them nobody is shown anything."""
        return [
            Worker(client, task_queue=TaskQueue.POSTS, activities=[self.post]),
            Worker(client, task_queue=TaskQueue.HITL, activities=[self.update]),
        ]

    async def step_of(self, goal: str) -> float:
        """When the destructive step of that goal began, by `time.time`."""
        return await asyncio.wait_for(self._moment(goal), timeout=60)

    async def shows(self, goal: str) -> None:
        """Until people were shown the approval of that goal."""
        await self._shown.setdefault(goal, asyncio.Event()).wait()

    def _moment(self, goal: str) -> "asyncio.Future[float]":
        return self._begun.setdefault(goal, asyncio.get_running_loop().create_future())

    @activity.defn(name="github.look_at_branch")
    async def look_at_branch(self, request: LookAtBranchRequest) -> BranchSeen:
        """There, until its step was run."""
        del request
        gone = self._moment(activity.info().workflow_id or "").done()
        return BranchSeen(head=None if gone else _HEAD)

    @activity.defn(name="github.delete_branch")
    async def delete_branch(self, request: GrantedRequest) -> BranchDeleted:
        """The moment that is measured."""
        now = time.time()
        del request
        self._moment(activity.info().workflow_id or "").set_result(now)
        return BranchDeleted(head=_HEAD)

    @activity.defn(name=POST_APPROVAL.name)
    async def post(self, request: PostApproval) -> PostedApproval:
        """Shown."""
        goal = self._shown.setdefault(request.view.goal, asyncio.Event())
        self.shown += not goal.is_set()
        goal.set()
        return PostedApproval(channel="C0BENCH", ts=f"{self.shown}.0")

    @activity.defn(name=UPDATE_APPROVAL.name)
    async def update(self, request: UpdateApproval) -> None:
        """Shown again."""


@asynccontextmanager
async def vault_signature(site: Site) -> AsyncGenerator[Callable[[str], Awaitable[str]]]:
    """Signs with the stack's own key, by the root token that an embedded environment keeps."""
    kept = json.loads((site.folder.vault / "init.json").read_text(encoding="utf-8"))
    headers = {"X-Vault-Token": str(kept["root_token"])}
    async with httpx.AsyncClient(verify=authorities(), base_url=site.state.vault.address, headers=headers) as vault:

        async def sign(text: str) -> str:
            given = {"input": base64.b64encode(text.encode()).decode()}
            answer = await vault.post("/v1/transit/sign/approvals", json=given)
            return str(answer.raise_for_status().json()["data"]["signature"])

        yield sign


class SignedAt:
    """Signs, and knows when it last did, by `time.time`: from then on a decision is on its way."""

    def __init__(self, sign: Callable[[str], Awaitable[str]]) -> None:
        self._sign = sign
        self.at = 0.0

    async def __call__(self, text: str) -> str:
        """The signature."""
        signature = await self._sign(text)
        self.at = time.time()
        return signature


def no_keys() -> Never:
    """Nobody's start is signed here, so nobody's is to be verified.

    Raises:
        Unavailable: Always.
    """
    raise Unavailable("the bench has no keys to verify with: start goals without a signed requester")
