"""How a lease stands, as it says itself in its memo: read from the server's list, without asking a worker."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from activities.leases.contracts import LEASE_MEMO, LeaseRequest

_UNREADABLE: Final = (ValidationError, RuntimeError, ValueError, KeyError)


class LeaseState(StrEnum):
    """Where a lease stands."""

    HELD = "held"
    ENDING = "ending"
    STUCK = "stuck"
    """It could not be ended in time: people were told. It is tried again and again."""
    ENDED = "ended"
    """Verified: the thing is gone."""
    LOST = "lost"
    """Ended from outside before its thing was; the sweep takes it up again."""


class LeaseView(BaseModel):
    """The answer to the query `view`, and the memo of every lease."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: LeaseState
    lease: LeaseRequest
    asked_until: AwareDatetime | None = Field(default=None, description="An extension that is under way.")
    refused: str = Field(default="", description="Why the last extension was refused.")
    problem: str = Field(default="", description="Why it could not be ended so far.")

    @property
    def id(self) -> str:
        """The workflow id."""
        return self.lease.id

    def row(self) -> dict[str, object]:
        """What a script gets of it: these fields and no others."""
        lease = self.lease
        return {
            "id": lease.id,
            "kind": lease.kind,
            "name": lease.leased.name,
            "state": self.state.value,
            "owner": lease.owner.workflow_id if lease.owner else None,
            "taken_at": _iso(lease.taken_at),
            "ends_at": _iso(lease.ends_at),
            "at_most": _iso(lease.at_most),
            "ending": lease.ending,
            "problem": self.problem,
            "refused": self.refused,
        }


async def view_of(found: WorkflowExecution) -> LeaseView | None:
    """How a lease that the server lists stands; None where it has not said so yet, or nobody here can read it."""
    try:
        said = (await found.memo())[LEASE_MEMO]
        view = LeaseView.model_validate(said)
    except _UNREADABLE:
        return None
    if found.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED}:
        return view
    return view.model_copy(update={"state": LeaseState.LOST})


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment is not None else None
