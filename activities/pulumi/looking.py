"""Steps on Pulumi stacks that look: each in containers of its own, with credentials that were sealed for its run.

What changes a stack is `activities.pulumi.destruction`. The one thing that is changed here is the state, which
`refresh_stack` brings up to what is really there.
"""

from typing import Final

from pydantic import ValidationError
from temporalio import activity

from activities.pulumi.contracts import (
    DETECT_DRIFT,
    LOOK_AT_LOCK,
    MAX_LINES,
    PREPARE_STACK,
    PREVIEW_DESTROY,
    PREVIEW_RESTORE,
    PREVIEW_STACK,
    READ_HISTORY,
    READ_OUTPUTS,
    REFRESH_STACK,
    Deployment,
    DriftLook,
    DriftSeen,
    LockSeen,
    OutputsLook,
    PreparedStack,
    PrepareStackRequest,
    PreviewRequest,
    RestoreLook,
    SaidDone,
    StackHistory,
    StackLook,
    StackOutputs,
    StackPreviewed,
    StackRead,
)
from activities.pulumi.planning import Planning
from activities.pulumi.preparing import Preparing
from activities.pulumi.problems import locked, no_such_stack, problem, raise_failed
from activities.pulumi.progress import LiveStack
from activities.pulumi.restoring import read_restoration
from activities.pulumi.sessions import OpenStack, StackSessions
from activities.sandbox.commands import Unsealer
from activities.step import implements
from connectors.errors import InvalidRequest
from connectors.pulumi.drift import DriftReport, find_drift, since_last
from connectors.pulumi.events import EventLog
from connectors.pulumi.history import read_history
from connectors.pulumi.outcome import classify_up
from connectors.pulumi.rendering import short_drift_lines
from connectors.pulumi.stack_plan import StackPlan
from connectors.pulumi.state import shown_outputs
from sandbox.pulumi import request as runs
from sandbox.pulumi.outcome import RunOutcome

_NOT_THERE: Final = StackRead(deployed=False)


class StackActivities:
    """The steps; for the sandbox worker. They raise by the trees of connectors and sandbox, which the guard maps.

    Args:
        house: What the deployment gives.
        secrets: Opens what was sealed.
    """

    def __init__(self, house: StackSessions, secrets: Unsealer) -> None:
        self._house, self._secrets = house, secrets

    @implements(PREPARE_STACK)
    async def prepare_stack(self, request: PrepareStackRequest) -> PreparedStack:
        """Take a commit apart into what the engine and the program are given."""
        return await Preparing(self._house, request).prepare()

    @implements(PREVIEW_STACK)
    async def preview_stack(self, request: PreviewRequest) -> StackPreviewed:
        """Plan what the program wants; a stack that is not there is made, empty."""
        opened = await self._open(request)
        asked = opened.request(runs.PreviewRequest, part="p", program=opened.files.program)
        outcome = await opened.place.pulumi.preview(asked, opened.secrets, on_progress=LiveStack().take)
        planning = Planning(self._house, opened, request)
        if outcome.ended == "failed":
            await planning.require_no_policy_refuses(outcome)
        if outcome.ended != "done":
            raise_failed(outcome, opened.files, what="the preview", hidden=opened.hidden)
        return await planning.of_update(outcome)

    @implements(PREVIEW_DESTROY)
    async def preview_destroy(self, request: PreviewRequest) -> StackPreviewed:
        """Plan the destruction of all that the stack holds."""
        opened = await self._open(request)
        asked = opened.request(runs.DestroyRequest, part="p", preview_only=True)
        outcome = await opened.place.pulumi.preview_destroy(asked, opened.secrets, on_progress=LiveStack().take)
        if not _there(outcome, opened, what="the preview of the destruction"):
            return StackPreviewed(**_NOT_THERE.model_dump())
        return await Planning(self._house, opened, request).of_destruction(outcome)

    @implements(REFRESH_STACK)
    async def refresh_stack(self, request: StackLook) -> DriftSeen:
        """Write into the state what is really there, and tell what was otherwise."""
        seen, _ = await self._looked(request, preview_only=False)
        return seen

    @implements(DETECT_DRIFT)
    async def detect_drift(self, request: DriftLook) -> DriftSeen:
        """Tell what is otherwise than the state says, and what of it is new; nothing is changed."""
        seen, report = await self._looked(request, preview_only=True)
        new = since_last(report, request.known).new
        missing = await self._otherwise(request.said_done, seen.exported)
        lines = short_drift_lines(DriftReport(items=new), most=MAX_LINES)
        return seen.model_copy(update={"new": lines, "missing": missing})

    @implements(READ_HISTORY)
    async def read_history(self, request: StackLook) -> StackHistory:
        """The stack's deployments."""
        opened = await self._open(request)
        asked = opened.request(runs.ReadRequest, part="h")
        outcome = await opened.place.pulumi.history(asked, opened.secrets)
        if not _there(outcome, opened, what="the history"):
            return StackHistory(**_NOT_THERE.model_dump())
        try:
            found = read_history(await self._house.store.get(outcome.content or ""))
        except ValueError as error:
            raise InvalidRequest(f"the history of {opened.files.stack!r} cannot be read: {error}") from error
        return StackHistory(
            deployments=tuple(
                Deployment(commit=one.made.commit if one.made else None, **one.model_dump(exclude={"made"}))
                for one in found
            )
        )

    @implements(READ_OUTPUTS)
    async def read_outputs(self, request: OutputsLook) -> StackOutputs:
        """The stack's outputs, secrets masked; and its whole state as an artifact, secrets encrypted: a backup."""
        opened = await self._open(request)
        outcome = await opened.place.pulumi.export_state(opened.request(runs.ReadRequest, part="e"), opened.secrets)
        if not _there(outcome, opened, what="the export"):
            return StackOutputs(**_NOT_THERE.model_dump())
        state = await self._house.state(outcome.content or "")
        otherwise = await self._otherwise(request.said_done, outcome.content)
        return StackOutputs(
            state=outcome.identity_before, exported=outcome.content, outputs=shown_outputs(state), otherwise=otherwise
        )

    @implements(PREVIEW_RESTORE)
    async def preview_restore(self, request: RestoreLook) -> StackPreviewed:
        """Compare a kept state with the one that is there; nothing is changed."""
        opened = await self._open(request)
        outcome = await opened.place.pulumi.export_state(opened.request(runs.ReadRequest, part="e"), opened.secrets)
        if outcome.ended != "done":
            raise_failed(outcome, opened.files, what="the look before a restoring", hidden=opened.hidden)
        found = await read_restoration(self._house, opened.files, present=outcome.content or "", kept=request.backup)
        asked = PreviewRequest(place=request.place, prepared=request.prepared, secrets=request.secrets)
        return await Planning(self._house, opened, asked).of_restoring(outcome, found, request.backup)

    @implements(LOOK_AT_LOCK)
    async def look_at_lock(self, request: StackLook) -> LockSeen:
        """Who holds Pulumi's own lock of the stack; of Pulumi Cloud nobody can tell."""
        opened = await self._open(request)
        asked = opened.request(runs.ReadRequest, part="k")
        outcome = await opened.place.pulumi.locks(asked, opened.secrets)
        if not _there(outcome, opened, what="the look at the lock"):
            return LockSeen(**_NOT_THERE.model_dump(), owners=outcome.owners)
        return LockSeen(state=outcome.identity_before, exported=outcome.state_before, owners=outcome.owners)

    async def _open(self, request: StackLook) -> OpenStack:
        """The stack of a request. What may fail for now comes before the secrets, which open once."""
        _ = self._house.platform
        files = await self._house.files(request.prepared.prepared)
        asked = request.place
        if (files.repository, files.folder, files.stack) != (asked.repository, asked.folder, asked.stack):
            raise InvalidRequest(f"what was prepared is not of the stack {asked.stack!r} asked for: prepare it again")
        place = await self._house.engine.place()
        fields = await self._secrets.unseal(request.secrets, run=activity.info().workflow_run_id or "")
        return self._house.open(files, fields, place=place)

    async def _otherwise(self, said: SaidDone | None, exported: str | None) -> int | None:
        """How many resources the state shows otherwise than is said; by the state alone, and nobody's word."""
        if said is None or exported is None:
            return None
        try:
            plan = StackPlan.model_validate_json(await self._house.store.get(said.whole_plan))
        except ValidationError as error:
            raise InvalidRequest(f"the artifact {said.whole_plan!r} is no plan of a stack") from error
        before, after = await self._house.state(said.exported), await self._house.state(exported)
        # No program's end is looked for: the state does not tell of it.
        found = classify_up(plan.expected, EventLog(), before=before, after=after, destroy=True)
        if said.refused:
            return len(before.changes_to(after)) + len(found.in_doubt)
        if said.done is not None:
            return len(set(said.done) - {one.urn for one in found.done})
        return len(found.not_done) + len(found.in_doubt)

    async def _looked(self, request: StackLook, *, preview_only: bool) -> tuple[DriftSeen, DriftReport]:
        opened = await self._open(request)
        asked = opened.request(runs.RefreshRequest, part="d", preview_only=preview_only)
        outcome = await opened.place.pulumi.refresh(asked, opened.secrets, on_progress=LiveStack().take)
        if no_such_stack(outcome):
            return DriftSeen(**_NOT_THERE.model_dump()), DriftReport()
        log = await self._house.events(outcome, "refresh", opened)
        failed = outcome.ended != "done"
        if failed and (locked(outcome) or not log.resources):
            raise_failed(outcome, opened.files, what="the refresh", hidden=opened.hidden)
        knowledge = self._house.platform.knowledge()
        report = find_drift(log, today=knowledge.today, noise=knowledge.noise)
        if failed and report.complete:  # the log does not say why
            why = str(problem(outcome, opened.files, what="the refresh", hidden=opened.hidden))
            report = report.model_copy(update={"complete": False, "problems": (why,)})
        before = preview_only or outcome.state_after is None
        seen = DriftSeen(
            state=outcome.identity_before if before else outcome.identity_after,
            exported=outcome.state_before if before else outcome.state_after,
            report=await self._house.store.put(report.model_dump_json().encode()),
            fingerprints=tuple(sorted(report.fingerprints)),
            lines=short_drift_lines(report, most=MAX_LINES),
            quiet=len(report.quiet),
            looked_at=report.looked_at,
            complete=report.complete,
        )
        return seen, report


def _there(outcome: RunOutcome, opened: OpenStack, *, what: str) -> bool:
    """Whether there is such a stack.

    Raises:
        ConnectorError: The run failed otherwise.
    """
    if no_such_stack(outcome):
        return False
    if outcome.ended != "done":
        raise_failed(outcome, opened.files, what=what, hidden=opened.hidden)
    return True
