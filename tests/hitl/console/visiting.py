"""The console over the real Temporal server and real signatures, and people who visit it with or without a browser.

The hand here does what the gateway does with a click, in the small: describe, sign, send the update under an id of the
click.
"""

import asyncio
import contextlib
import hashlib
import re
import socket
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.guard.error_types import denial_of
from activities.guard.opinion_facts import OpinionVerdict
from activities.guard.policy_source import PolicySource
from connectors.artifacts import ArtifactStore
from hitl.approval.approvers import People
from hitl.approval.decision import UNVERIFIED
from hitl.approval.plan import Plan, plan_digest
from hitl.console.access.headers import SCRIPTS
from hitl.console.access.key_uses import used_once_more
from hitl.console.access.tokens import Tokens
from hitl.console.app import Sources, create_console
from hitl.console.audit.seen import CollectedAudit
from hitl.console.goals.seen import TemporalGoals
from hitl.console.health.seen import TemporalHealth
from hitl.console.installations.seen import TemporalInstallations
from hitl.console.leases.seen import TemporalLeases
from hitl.console.limits.seen import TemporalLimits
from hitl.console.live import Live
from hitl.console.marks import TemporalMarks
from hitl.console.ports import Unavailable
from hitl.console.settings import ConsoleSettings
from hitl.console.visibility import TemporalApprovals
from hitl.gateway.decisions import Click, Kind, Outcome
from hitl.gateway.goal_starter import StartedGoal
from tests.activities.guard.collecting import Books
from tests.workflows.approval.approving import POLICY, Ask, Asked, House
from workflows.approval.contracts import DecisionReceipt
from workflows.contracts import REQUESTER_ATTRIBUTE, GoalInput
from workflows.goal_type import GoalType
from workflows.opinions.contracts import KeptOpinion

SECRET = "a secret that is long enough for this console"
ORIGIN = "http://127.0.0.1:8080"
_FORM = re.compile(r'<form method="post" action="([^"]+)".*?name="form" value="([^"]+)"', re.DOTALL)


def others_scripts(page: str) -> list[str]:
    """The scripts of a page that are not our own files."""
    ours = {f'<script src="/static/{name}" defer>' for name in SCRIPTS}
    return [one for one in re.findall(r"<script[^>]*>?", page) if one not in ours]


def console_policy() -> str:
    """The policy of the approvals' tests, in which people have a name for the console as well."""
    named = re.sub(r"slack:U0([A-Z]+)", lambda one: f"{one[0]}, console:{one[1].lower()}@acme.test", POLICY)
    return named + "      - {action: pulumi.*, groups: [release]}\n"


class Hand:
    """Decides as the gateway does, with the tests' key."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clicks: list[Click] = []
        self.patience = timedelta(seconds=5)

    async def decide(self, click: Click) -> Outcome:
        self.clicks.append(click)
        person = PolicySource(self.house.path, environment="live").current().people.person(click.identity)
        handle = self.house.client.get_workflow_handle(click.approval_id)
        told = f"{click.approval_id}\0{person}\0{click.clicked_at.isoformat()}"
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                if person is None or plan_digest(await handle.query("plan", result_type=str)) != click.digest:
                    return Outcome(kind=Kind.REFUSED, words="This is not the plan that you were shown.")
                decision = await self.house.decision(
                    click.approval_id,
                    person,
                    identity=click.identity,
                    surface=click.surface,
                    verdict=click.verdict,
                    reason=click.reason,
                    decided_at=click.clicked_at,
                    step_up=click.step_up,
                )
                receipt = await handle.execute_update(
                    "decide",
                    self.house.sign(decision),
                    id=hashlib.sha256(told.encode()).hexdigest(),
                    result_type=DecisionReceipt,
                )
        except WorkflowUpdateFailedError as error:
            denial = denial_of(error.cause)
            return Outcome(kind=Kind.REFUSED, words=denial.explanation if denial else str(error.cause))
        except (TimeoutError, RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return Outcome(kind=Kind.UNCONFIRMED, words="Not confirmed yet: nobody answered in time.")
        return Outcome(kind=Kind.COUNTED, words=f"{receipt.approvals} of {receipt.needs} approved.")


class StartableGoals(TemporalGoals):
    """Starts goals on a queue without workers."""

    def __init__(self, client: Client, people: Callable[[], People]) -> None:
        super().__init__(client, who_asked=self._who, people=people)
        self._starter = client
        self.started: list[tuple[str, str]] = []

    async def _who(self, workflow_id: str, run_id: str) -> str:
        """Only of those that were started here does anybody know it."""
        del run_id
        return dict(self.started).get(workflow_id, UNVERIFIED)

    async def start(self, goal: GoalType, request: GoalInput, *, identity: str) -> StartedGoal:
        handle = await self._starter.start_workflow(
            goal.name,
            request,
            id=request.business_key(),
            task_queue="console-test",
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=TypedSearchAttributes([SearchAttributePair(REQUESTER_ATTRIBUTE, identity)]),
        )
        self.started.append((handle.id, identity))
        return StartedGoal(workflow_id=handle.id, run_id=handle.first_execution_run_id or "", existing=False)


class Said:
    """Keeps what people think, in this process: whose it is and whether it holds, `tests/hitl/gateway` tries."""

    def __init__(self) -> None:
        self.kept: list[KeptOpinion] = []
        self.answer = Outcome(kind=Kind.COUNTED, words="Noted.")
        self.away = False

    async def on(self, goal_run: str) -> list[KeptOpinion]:
        if self.away:
            raise Unavailable("not now")
        return [one for one in self.kept if one.goal_run == goal_run]

    async def give(
        self, *, identity: str, surface: str, goal: str, goal_run: str, verdict: OpinionVerdict, words: str = ""
    ) -> Outcome:
        if self.answer.kind is Kind.COUNTED:
            self.kept.append(
                KeptOpinion(
                    goal=goal,
                    goal_run=goal_run,
                    person=identity.partition(":")[2].partition("@")[0],
                    verdict=verdict,
                    words=words,
                    surface=surface,
                    said_at=datetime.now(UTC),
                )
            )
        return self.answer


class Uses:
    """Counts uses of keys, in this process."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}

    async def use(self, credential: str, *, count: int, challenge: str) -> None:
        self.records[credential] = used_once_more(self.records.get(credential), count=count, challenge=challenge)


class Console:
    """One console, and its parts to look into."""

    def __init__(self, client: Client, folder: Path, **settings: object) -> None:
        self.house = House(client, folder)
        self.house.path.write_text(console_policy())
        self.hand = Hand(self.house)
        self.goals = StartableGoals(client, lambda: self.policy.current().people)
        self.artifacts = ArtifactStore(str(folder / "artifacts"))
        self.books = Books(folder)
        self.live = Live(every=0.2)
        self.uses = Uses()
        self.limits = TemporalLimits(client)
        self.said = Said()
        fields = {"origin": ORIGIN, "secret": SecretStr(SECRET), "development": True} | settings
        fields |= {"temporal_ui": "http://127.0.0.1:8233", "traces": "http://127.0.0.1:9/?workflow_id={workflow_id}"}
        self.settings = ConsoleSettings.model_validate(fields)
        self.tokens = Tokens(self.settings.secret)
        self._asking: list[WorkflowHandle[Any, Asked]] = []

    async def ask(self, plan: Plan) -> str:
        """The id of an approval of this plan, for which a workflow waits."""
        request = self.house.request().model_copy(update={"plan": plan.text()})
        self._asking.append(await self.house.ask(Ask(request=request)))
        return await self.house.approval_of(self._asking[-1])

    async def end(self) -> None:
        """End those workflows, and close the audit files."""
        self.books.close()
        for one in self._asking:
            with contextlib.suppress(RPCError):  # it has ended by itself
                await one.terminate()

    @property
    def policy(self) -> PolicySource:
        return PolicySource(self.house.path, environment="live")

    @property
    def app(self) -> Starlette:
        sources = Sources(
            approvals=TemporalApprovals(self.house.client),
            goals=self.goals,
            opinions=self.said,
            leases=TemporalLeases(self.house.client),
            limits=self.limits,
            installations=TemporalInstallations(self.house.client),
            health=TemporalHealth(self.house.client),
            artifacts=self.artifacts,
            audit=CollectedAudit(self.books.into, self.books.vault.published),
            marks=TemporalMarks(self.house.client),
        )
        return create_console(
            self.settings, sources, policy=self.policy, decide=self.hand, uses=self.uses, live=self.live
        )

    @contextlib.asynccontextmanager
    async def visit(self, person: str | None = None) -> AsyncGenerator["Visit"]:
        """Somebody with a browser of their own; signed in where a name is given."""
        transport = httpx.ASGITransport(_arriving_here(self.app))
        async with httpx.AsyncClient(transport=transport, base_url=self.settings.origin) as hands:
            visit = Visit(hands, self.settings.origin)
            if person:
                answer = await visit.post("/sign-in/as", identity=f"console:{person}@acme.test")
                assert answer.status_code == 303, answer.text
            yield visit

    @contextlib.asynccontextmanager
    async def served(self, *, by_name: bool = False) -> AsyncGenerator[str]:
        """The console on its port, by a real server in this loop."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            if by_name:
                address = address.replace("127.0.0.1", "localhost")
            self.settings = self.settings.model_copy(update={"origin": address})
            config = uvicorn.Config(self.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield address
            finally:
                server.should_exit = True
                await serving


def _arriving_here(app: Starlette) -> ASGIApp:
    """The same, told as a server tells it: by the address that the request arrived at, whatever name it was sent to."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": ("127.0.0.1", 8080)}, receive, send)

    return answer


class Visit:
    """A browser without a window: it sends what a browser would."""

    def __init__(self, hands: httpx.AsyncClient, origin: str) -> None:
        self.hands = hands
        self.origin = origin

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.hands.get(path, headers=headers)

    async def post(self, path: str, /, **fields: str) -> httpx.Response:
        return await self.hands.post(
            path, data=fields, headers={"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        )

    async def form(self, path: str) -> str:
        """The token of the form on that page that posts to where the page lies."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        [token] = [
            unescape(value) for action, value in _FORM.findall(answer.text) if action == path.split("?", maxsplit=1)[0]
        ]
        return token

    async def asked(self, approval: str, verdict: str = "approve") -> str:
        """The token of the page that asks whether one is sure."""
        return await self.form(f"/approval/decide?id={quote(approval, safe='')}&verdict={verdict}")

    async def decide(self, approval: str, verdict: str = "approve", reason: str = "") -> httpx.Response:
        """The whole way."""
        return await self.post("/approval/decide", form=await self.asked(approval, verdict), reason=reason)
