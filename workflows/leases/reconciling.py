"""Holds leases against what is: what Temporal says of them, and what providers list by our mark.

Nothing here ends anything: what must end gets a lease whose time is over, and that one ends it, verifies it, and tells
people where it cannot. What carries a mark and never had a lease in this namespace may be another installation's, in an
account that two share: it is ended only where a person says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.leases.contracts import (
        FIND_KINDS,
        FIND_KNOWN,
        FIND_LOST,
        FindKinds,
        FindKnown,
        FindLost,
        FoundKinds,
        FoundKnown,
        FoundLost,
        GivenRequest,
        KindFacts,
        Leased,
        LeasedPage,
        LeaseRequest,
        ListLeased,
        Orphan,
    )
    from activities.step import Step
    from hitl.hidden import visible
    from workflows.leases.contracts import OwnerGone
    from workflows.leases.goals import ReconcileLeasesInput, ReconcileLeasesResult
    from workflows.leases.leasing import start_lease

_MOST_PAGES: Final = 1000
_MOST_TOLD: Final = 200

Ask = Callable[[Step[Any, Any], BaseModel, str], Awaitable[Any]]
"""Takes a step: its declaration, its request, and what people see of it."""


class KindUnseen(Exception):
    """A provider could not be asked. The message says why."""


class Reconciling:
    """One look.

    Args:
        wanted: What is asked for.
        ask: Takes a step of ours.
        look: Takes a step of a provider; raises `KindUnseen` where the others are to be looked at all the same.
    """

    def __init__(self, wanted: ReconcileLeasesInput, *, ask: Ask, look: Ask) -> None:
        self._wanted = wanted
        self._ask = ask
        self._look = look
        self._held = 0
        self._told: dict[str, list[str]] = {}

    async def run(self) -> ReconcileLeasesResult:
        """Temporal first, then each provider."""
        await self._help_lost()
        found: FoundKinds = await self._ask(FIND_KINDS, FindKinds(names=self._wanted.kinds), "Find what can be leased")
        for kind in found.kinds:
            try:
                await self._compare(kind)
            except KindUnseen as why:
                self._tell("unseen", f"{kind.name}: {why}")
        lists = {name: tuple(said[:_MOST_TOLD]) for name, said in self._told.items()}
        return ReconcileLeasesResult(kinds=tuple(one.name for one in found.kinds), held=self._held).model_copy(
            update=lists
        )

    async def _help_lost(self) -> None:
        found: FoundLost = await self._ask(FIND_LOST, FindLost(), "Find leases that cannot help themselves")
        for lease in found.lost:
            # The goal that had started it is not its parent any more, whether it runs or not.
            if await _started(lease.model_copy(update={"handed_over": True})):
                self._tell("revived", lease.id)
        for orphan in found.orphans:
            if await _let_go(orphan):
                self._tell("orphans", orphan.lease)

    async def _compare(self, kind: KindFacts) -> None:
        after = ""
        for _ in range(_MOST_PAGES):
            request = GivenRequest(ListLeased(after=after).model_dump(mode="json"))
            page: LeasedPage = await self._look(
                kind.find.declared(LeasedPage), request, f"List each {kind.title} with a mark of ours"
            )
            await self._compare_page(kind, page.found)
            if not page.after or page.after == after:
                return
            after = page.after
        raise KindUnseen(f"its list has no end after {_MOST_PAGES} pages")

    async def _compare_page(self, kind: KindFacts, there: Iterable[Leased]) -> None:
        by_mark = {one.mark: one for one in there}
        if not by_mark:
            return
        # Asked after the list was made: what a goal has taken meanwhile is held.
        known: FoundKnown = await self._ask(
            FIND_KNOWN, FindKnown(kind=kind.name, marks=tuple(by_mark)), f"Find the lease of each {kind.title}"
        )
        self._held += len(known.held)
        for mark, one in by_mark.items():
            if mark in known.ended:
                await self._end(kind, one, "it outlived its lease")
            elif mark not in known.held:
                await self._stranger(kind, one)

    async def _stranger(self, kind: KindFacts, one: Leased) -> None:
        match self._wanted.strangers:
            case "report":
                self._tell("strangers", visible(f"{kind.title} {one.name} ({one.mark})"))
            case "adopt":
                now = workflow.now()
                lease = kind.lease(one, now=now, ends_at=now + timedelta(hours=self._wanted.hours))
                if await _started(lease):
                    self._tell("adopted", lease.id)
            case "end":
                await self._end(kind, one, "a person had it ended, for nobody held it")

    async def _end(self, kind: KindFacts, one: Leased, why: str) -> None:
        now = workflow.now()
        lease = kind.lease(one, now=now, ends_at=now).model_copy(update={"ending": why})
        if await _started(lease):
            self._tell("ended", lease.id)

    def _tell(self, what: str, line: str) -> None:
        self._told.setdefault(what, []).append(line)


async def _started(lease: LeaseRequest) -> bool:
    """Whether it was: where somebody has taken it meanwhile, it is held."""
    try:
        await start_lease(lease, parent=ParentClosePolicy.ABANDON)
    except WorkflowAlreadyStartedError:
        return False
    return True


async def _let_go(orphan: Orphan) -> bool:
    handle = workflow.get_external_workflow_handle(orphan.lease)
    try:
        # Let go, never cancelled: a signal that is cancelled in the task that sends it wedges the workflow.
        await asyncio.shield(handle.signal("owner_gone", OwnerGone(owner=orphan.owner)))
    except ApplicationError:  # it has ended meanwhile
        return False
    return True
