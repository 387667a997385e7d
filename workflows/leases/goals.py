"""What people ask to be done about leases, and how it ended."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from hitl.protocol import Effect
from workflows.contracts import GoalInput, GoalResult
from workflows.goal_type import GoalType

Strangers = Literal["report", "adopt", "end"]
"""What is done with things that carry a mark like ours, and never had a lease that Temporal remembers."""


class ReconcileLeasesInput(GoalInput):
    """Compare the leases with what providers say there is, and end or adopt what nobody holds."""

    kinds: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,60}$")], ...] = Field(
        default=(), description="Kinds of leases, as `banksman leases` tells them; all of them where none is named."
    )
    strangers: Strangers = Field(
        default="report",
        description="What to do with what has a mark and never had a lease here: `report` it, for it may be another "
        "installation's; `adopt` it for some hours; or `end` it.",
    )
    hours: int = Field(default=4, ge=1, le=720, description="How long what is adopted may live.")

    def business_key(self) -> str:
        """`reconcile-leases/report`, or what else is done with strangers."""
        return f"reconcile-leases/{self.strangers}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        which = ", ".join(self.kinds) or "all kinds"
        return f"Reconcile leases of {which}; what nobody knows: {self.strangers}"


class ReconcileLeasesResult(GoalResult):
    """What was found, and what is done about it. Ends go on in their leases."""

    kinds: tuple[str, ...] = Field(default=(), description="Those that were looked at.")
    held: int = Field(default=0, description="Things that a lease holds, as it should be.")
    ended: tuple[str, ...] = Field(default=(), description="Leases of things that outlived theirs; they end them now.")
    adopted: tuple[str, ...] = Field(default=(), description="New leases of strangers.")
    strangers: tuple[str, ...] = Field(
        default=(), description="What has a mark and never had a lease here, and was left as it is."
    )
    revived: tuple[str, ...] = Field(default=(), description="Leases that had been ended from outside; they go on.")
    orphans: tuple[str, ...] = Field(default=(), description="Leases whose goal is over; they end now.")
    unseen: tuple[str, ...] = Field(default=(), description="Kinds whose provider could not be asked, each with why.")


RECONCILE_LEASES: Final = GoalType(
    name="ReconcileLeases",
    input=ReconcileLeasesInput,
    result=ReconcileLeasesResult,
    effect=Effect.WRITE,
    example=ReconcileLeasesInput(),
)
