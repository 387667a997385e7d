"""One approved change of a stack, from the last look before it to how it ended.

Right before it, the stack's state must be the one that was approved, and what stands outside must be as that state
says; known noise is let be. Both are looked at in runs of their own, and the engine compares the state once more when
it begins. An attempt after a worker died reads first, and begins again only where nothing was done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from temporalio import activity

from activities.guard.current_attempt import Use, current_attempt
from activities.pulumi.attempts import Attempts
from activities.pulumi.contracts import StackChanged
from activities.pulumi.problems import locked, no_such_stack, problem, raise_failed, said
from activities.pulumi.progress import LiveStack
from activities.pulumi.sessions import OpenStack, StackSessions
from connectors.errors import Conflict
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.digests import Identity
from connectors.pulumi.drift import find_drift
from connectors.pulumi.events import EventLog
from connectors.pulumi.outcome import Ended, classify_up
from connectors.pulumi.rendering import short_drift_lines
from connectors.pulumi.state import State, shown_outputs
from sandbox.pulumi import request as runs
from sandbox.pulumi.outcome import OnProgress, RunOutcome


@dataclass(frozen=True)
class Approved:
    """What people approved.

    Attributes:
        state: The identity of the state that it was planned on.
        version: Of the last update then, on Pulumi Cloud.
        before: That state.
        planned: By URN, what may be done.
        destroy: Whether everything is to go, and no program runs.
        step: The name of the command that changes.
    """

    state: Identity
    version: int | None
    before: State
    planned: Mapping[str, ChangeKind]
    destroy: bool
    step: str


class Changing:
    """One execution.

    Args:
        house: What the deployment gives.
        opened: The stack, with the credentials that change it.
        approved: What may be done.
    """

    def __init__(self, house: StackSessions, opened: OpenStack, approved: Approved) -> None:
        self._house, self._opened, self._approved = house, opened, approved
        self._pulumi = opened.place.pulumi
        self._what = "the destruction" if approved.destroy else "the update"
        self._attempts = Attempts(opened, self._what)

    async def run(self, change: Callable[[OnProgress, bool], Awaitable[RunOutcome]]) -> StackChanged:
        """Look, change, and tell how it ended.

        Args:
            change: Does it, in a run called by `PART`; told whether to compare what stands outside once more.

        Raises:
            Conflict: The stack is not what was approved; nothing was changed.
            ConnectorError: Nothing was changed, for another reason.
            SandboxError: The same.
        """
        if current_attempt().use is Use.RETRY and (found := await self._after_earlier()) is not None:
            return found
        quiet = await self._require_as_approved()
        live = LiveStack(signals=True)
        try:
            outcome = await change(live.take, not quiet)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not details.cancel_requested:
                raise  # the worker ends: another attempt reads what was done
            # Pulumi has been stopped by now. Who asked for that is told what was done.
            return await self._told(await self._attempts.state_now(), EventLog(), "It was cancelled.")
        await live.end()
        return await self._ended(outcome)

    async def _require_as_approved(self) -> bool:
        """Whether known noise was seen, which is let be.

        Raises:
            Conflict: State or world are not what was approved.
        """
        bound = {"identity": self._approved.state, "update_version": self._approved.version}
        asked = self._opened.request(runs.RefreshRequest, part="d", preview_only=True, **bound)
        outcome = await self._pulumi.refresh(asked, self._opened.secrets, on_progress=LiveStack().take)
        if outcome.ended == "changed" or no_such_stack(outcome):
            raise self._stale(_since(outcome))
        if outcome.ended != "done":
            raise_failed(outcome, self._opened.files, what=f"the look before {self._what}", hidden=self._opened.hidden)
        knowledge = self._house.platform.knowledge()
        report = find_drift(
            await self._house.events(outcome, "refresh", self._opened), today=knowledge.today, noise=knowledge.noise
        )
        if report.items or not report.complete:
            raise self._stale("; ".join(short_drift_lines(report, most=4)))
        return bool(report.quiet)

    async def _after_earlier(self) -> StackChanged | None:
        """What an earlier attempt did; None where it did nothing, and nothing of it lives."""
        look = await self._attempts.look()
        if look.identity_before == self._approved.state:
            return None
        return await self._told(look.state_before, EventLog(), "A worker was lost; this is what the state says now.")

    async def _ended(self, outcome: RunOutcome) -> StackChanged:
        if outcome.ended == "changed":
            raise self._stale(_since(outcome))
        if outcome.ended != "lost" and outcome.step(self._approved.step) is None:
            raise_failed(outcome, self._opened.files, what=self._what, hidden=self._opened.hidden)
        if outcome.ended == "lost":
            await self._attempts.free()
        log = await self._house.events(outcome, self._approved.step, self._opened)
        after = outcome.state_after or await self._attempts.state_now()
        lost = "Pulumi's container was lost; this is what the state says now." if outcome.ended == "lost" else ""
        told = await self._told(after, log, lost or said(outcome, self._opened.hidden))
        if told.outcome.ended is Ended.REFUSED and locked(outcome):
            raise problem(outcome, self._opened.files, what=self._what, hidden=self._opened.hidden)
        return told

    async def _told(self, exported: str | None, log: EventLog, words: str) -> StackChanged:
        after = await self._house.state(exported) if exported is not None else None
        approved = self._approved
        outcome = classify_up(approved.planned, log, before=approved.before, after=after, destroy=approved.destroy)
        return StackChanged(
            outcome=outcome,
            events=await self._house.store.put(log.model_dump_json().encode()),
            exported=exported,
            said=words,
            outputs=shown_outputs(after) if after is not None else {},
        )

    def _stale(self, why: str) -> Conflict:
        files = self._opened.files
        return Conflict(
            f"{files.project.name}/{files.stack} is no longer what was approved, and nothing was changed: {why}; "
            "plan again"
        )


def _since(outcome: RunOutcome) -> str:
    """What a run that changed nothing found."""
    if "version" in outcome.changed:
        return "somebody made another update of it since"
    drifted = "drift" in outcome.changed
    return "what stands outside was changed since" if drifted else "its state was changed since"
