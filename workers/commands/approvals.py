"""`banksman approvals`: one inbox of all that waits for a person, and the whole plan of one.

Who may decide does so in Slack or in the console, where the gateway knows who they are: nothing is decided here.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import quote

import typer
from rich.markup import escape
from temporalio.client import Client, WorkflowExecution, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from hitl.approval.approvers import Path
from hitl.approval.decision import Verdict
from hitl.approval.plan import Plan, PlanError, plan_digest
from hitl.approval.sequence import AnyPlan, SequencePlan, read_any_plan
from hitl.hidden import unhidden, visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, err, fail, out, shown, wrapped
from workers.settings import Settings
from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalView
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.standing import standing_of

_AT_A_TIME: Final = 20
_PATIENCE: Final = timedelta(seconds=15)
_FIELDS: Final = ("id", "goal", "action", "state", "digest", "requester", "needs", "decisions", "expires_at")
_NOBODY_ANSWERS: Final = frozenset(
    {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNAVAILABLE}
)
_ALL: Final = f"WorkflowType = '{APPROVAL_WORKFLOW}' AND {STATE_ATTRIBUTE.name} IS NOT NULL"
_WAITING: Final = (
    f"WorkflowType = '{APPROVAL_WORKFLOW}' AND {STATE_ATTRIBUTE.name} = '{State.WAITING}' "
    "AND ExecutionStatus = 'Running'"
)

approvals = typer.Typer(help="List what waits for a person's approval, and show its plan.")


@approvals.callback(invoke_without_command=True)
def inbox(
    context: typer.Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are decided, for as long as Temporal keeps them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List what waits for a person's approval, and show its plan."""
    if context.invoked_subcommand is None:
        asyncio.run(_list(everything=everything, as_json=as_json))


@approvals.command("show")
def show(
    approval: Annotated[str, typer.Argument(metavar="ID", help="The approval's workflow id, as the list tells it.")],
) -> None:
    """Show one approval: the whole plan, its digest, and who decided what."""
    asyncio.run(_show(approval))


class Inbox:
    """The approvals of one namespace, asked one by one: what Temporal's index says of them is too little.

    Attributes:
        silent: Those that could not tell how they stand, with the reason.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self.silent: dict[str, str] = {}

    async def waiting(self) -> int:
        """How many wait, without asking any."""
        return (await self._client.count_workflows(_WAITING)).count

    async def read(self, *, everything: bool = False, most: int | None = None) -> list[tuple[ApprovalView, str]]:
        """Each approval with its state in a word; those that end first come first.

        Args:
            everything: Also those that are decided.
            most: Ask so many alone, the newest.

        Raises:
            RPCError: No goals worker answers.
        """
        query = _ALL if everything else _WAITING
        listed = [one async for one in self._client.list_workflows(query, limit=most)]
        views = await asyncio.gather(*map(self._view, listed))
        found = [(view, _state(view, one)) for view, one in zip(views, listed, strict=True) if view is not None]
        kept = [one for one in found if everything or one[1] == State.WAITING]
        return sorted(kept, key=lambda one: (one[1] != State.WAITING, one[0].expires_at, one[0].id))

    async def _view(self, listed: WorkflowExecution) -> ApprovalView | None:
        async with self._turns:
            try:
                handle = self._client.get_workflow_handle(listed.id, run_id=listed.run_id)
                return await self.view(handle.id, listed.run_id)
            except WorkflowQueryFailedError as error:
                self.silent[listed.id] = error.message
            except RPCError as error:
                if error.status in _NOBODY_ANSWERS:
                    raise
                if error.status is not RPCStatusCode.NOT_FOUND:  # else it is gone since it was listed
                    self.silent[listed.id] = error.message
            return None

    async def view(self, approval: str, run_id: str | None = None) -> ApprovalView:
        """How one stands."""
        handle = self._client.get_workflow_handle(approval, run_id=run_id)
        return await handle.query("view", result_type=ApprovalView, rpc_timeout=_PATIENCE)

    async def plan(self, view: ApprovalView) -> str:
        """The text of its plan."""
        handle = self._client.get_workflow_handle(view.id, run_id=view.run_id)
        return await handle.query("plan", result_type=str, rpc_timeout=_PATIENCE)


async def _list(*, everything: bool, as_json: bool) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        inbox_ = Inbox(await connect_or_fail(settings, telemetry))
        found = await inbox_.read(everything=everything)
    except RPCError as error:
        fail(_unanswered("the approvals cannot be read", error))
    finally:
        telemetry.shutdown()
    if as_json:
        out.print_json(json.dumps([as_row(view, state) for view, state in found]), ensure_ascii=True)
    elif found:
        _print_all(found)
    else:
        out.print("There are no approvals." if everything else "Nothing waits for an approval.")
    for approval, reason in inbox_.silent.items():
        err.print(escape(shown(f"{approval} does not tell how it stands: {reason}")), soft_wrap=True)
    if inbox_.silent:
        raise typer.Exit(int(Exit.FAILED))


def as_row(view: ApprovalView, state: str) -> dict[str, object]:
    """What a script gets of an approval: these fields and no others."""
    fields = {**view.model_dump(mode="json"), "state": state}
    return {name: fields[name] for name in _FIELDS}


def _state(view: ApprovalView, listed: WorkflowExecution) -> str:
    """Its state; of one that was terminated while it waited, that."""
    return standing_of(listed) if view.state is State.WAITING else view.state.value


def _print_all(found: list[tuple[ApprovalView, str]]) -> None:
    """A few short lines each; the id on one of its own, never wrapped nor cut, so that it can be copied."""
    for view, state in found:
        emergency = "[bold red]BREAK GLASS[/] " if view.path is Path.BREAK_GLASS else ""
        out.print(f"{emergency}[bold]{_safe(view.action)}[/]  {_safe(state.replace('_', ' '))}", soft_wrap=True)
        out.print(f"  {_safe(view.id)}", soft_wrap=True)
        told = (f"approved {_count(view)}", f"asked for by {_requester(view)}", f"until {_until(view, state)}")
        for text in told:
            out.print(f"[dim]{escape(wrapped(shown(visible(text)), indent=2))}[/]", soft_wrap=True)


def _safe(text: str) -> str:
    """Somebody else's text for a terminal: neither its control characters nor its markup is obeyed."""
    return escape(shown(visible(text)))


def _count(view: ApprovalView) -> str:
    yes = [one.person for one in view.decisions if one.verdict is Verdict.APPROVE]
    return f"{len(yes)} of {view.needs}" + (f" ({', '.join(yes)})" if yes else "")


def _requester(view: ApprovalView) -> str:
    return view.requester or "not known yet"


def _until(view: ApprovalView, state: str) -> str:
    moment = f"{view.expires_at:%Y-%m-%d %H:%M} UTC"
    if state != State.WAITING:
        return moment
    left = view.expires_at - datetime.now(UTC)
    hours, minutes = divmod(max(int(left.total_seconds()), 0) // 60, 60)
    return moment + (f", {hours // 24} days left" if hours >= 48 else f", {hours} h {minutes} min left")  # noqa: PLR2004 - two days


async def _show(approval: str) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        asked = Inbox(await connect_or_fail(settings, telemetry))
        view = await asked.view(approval)
        text = await asked.plan(view)
    except WorkflowQueryFailedError as error:
        fail(f"{approval!r} is no approval, or does not tell how it stands: {error.message}")
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            fail(f"there is no approval {approval!r}; `banksman approvals --all` lists them")
        fail(_unanswered(f"the approval {approval!r} cannot be read", error))
    finally:
        telemetry.shutdown()
    for line in lines(view, _checked(view, text), link=_link(view, settings)):
        out.print(shown(line), markup=False, soft_wrap=True)


def _unanswered(what: str, error: RPCError) -> str:
    return f"{what}: {error.message}; `banksman status` tells whether a goals worker runs"


def _told(plan: Plan) -> Iterator[str]:
    yield "It will be told, and nothing else"
    yield from (f"  {line}" for line in plan.parameter_lines())
    yield "It touches"
    yield from (f"  {one.change} {unhidden(one.kind)} {unhidden(one.name)}" for one in plan.resources)


def _step_lines(view: ApprovalView, plan: SequencePlan) -> Iterator[str]:
    """Each step, in the order in which they run, with who has approved it by now."""
    yield "It runs these steps in this order, each once, and nothing else"
    for number, step in enumerate(plan.steps, start=1):
        yield f"Step {number} of {len(plan.steps)}: {step.action}, risk {step.risk}, cost {_costs(step)}"
        if number <= len(view.steps):
            stands = view.steps[number - 1]
            by = f" ({', '.join(map(visible, stands.approved_by))})" if stands.approved_by else ""
            groups = " or ".join(map(visible, stands.groups))
            yield f"  approved {len(stands.approved_by)} of {stands.needs}{by}, by {groups}"
            for one in stands.also:
                yield visible(f"  and somebody of {one.group}: {', '.join(one.approved_by) or 'nobody yet'}")
        yield from (f"  {line}" for line in _told(step))


def _costs(plan: AnyPlan) -> str:
    known = plan.costs if isinstance(plan, SequencePlan) else (plan.cost,) if plan.cost else ()
    each = (f"${one.usd_cents / 100:.2f} per {one.per}".replace("per once", "once") for one in known)
    return " and ".join(each) or "not known"


def _checked(view: ApprovalView, text: str) -> AnyPlan:
    """The plan from its own bytes, when they are those that are decided on."""
    try:
        plan = read_any_plan(text)
    except PlanError as error:
        fail(f"the plan of {view.id!r} cannot be shown: {error}")
    if plan_digest(text) != view.digest or plan.action != view.action:
        fail(f"{view.id!r} shows another plan than the one it is about; approve nothing, and look at its workflow")
    return plan


def _link(view: ApprovalView, settings: Settings) -> str:
    place = f"{settings.temporal_ui}/namespaces/{settings.temporal_namespace}/workflows"
    return f"{place}/{quote(view.id, safe='')}/{view.run_id}/history"


def lines(view: ApprovalView, plan: AnyPlan, *, link: str) -> Iterator[str]:
    """The whole of it, a line at a time; what hides is made visible."""
    yield visible(f"{plan.action} in {view.environment}, {view.state.replace('_', ' ')}, risk {plan.risk}")
    if view.path is Path.BREAK_GLASS:
        yield "BREAK GLASS: asked for on the emergency path"
    told = {
        "approval": view.id,
        "goal": view.goal,
        "asked for by": _requester(view),
        "approved": f"{_count(view)}, by {' or '.join(view.groups)}",
        "until": _until(view, view.state),
        "also": "; ".join(
            f"somebody of {one.group}: {', '.join(one.approved_by) or 'nobody yet'}" for one in view.also
        ),
        "rule": view.rule,
        "cost": _costs(plan),
        "Temporal": link,
    }
    yield from (f"  {name:<13} {visible(value)}" for name, value in told.items() if value)
    if view.reason:
        yield f"  {'ended':<13} {unhidden(view.reason)}"
    yield "The goal says"
    yield from (f"  > {unhidden(line)}" for line in plan.summary)
    if isinstance(plan, SequencePlan):
        yield from _step_lines(view, plan)
    else:
        yield from _told(plan)
    if plan.rehearsal is not None:
        yield f"{'SURPRISE: rehearsed otherwise' if plan.rehearsal.surprises else 'Rehearsed'}, {plan.rehearsal.digest}"
        yield from (f"  {line}" for line in plan.rehearsal.told())
    if plan.tightening is not None:
        yield visible(f"{plan.tightening.source} tightens the deployment's policy for it")
        yield from (f"  {line}" for line in plan.tightening.told())
    if view.decisions:
        yield "Decided"
    for one in view.decisions:
        because = f": {unhidden(one.reason)}" if one.reason else ""
        who = visible(one.person)
        yield f"  {one.decided_at:%Y-%m-%d %H:%M} UTC {who} ({one.surface}) {one.verdict}{because}"
    yield f"Digest {view.digest}"
