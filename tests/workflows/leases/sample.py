"""A whole provider of leased machines, in memory: its kind, its steps, what implements them, and its bad days."""

import asyncio
import shlex
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from activities.leases.contracts import Leased, LeasedPage, LeaseStanding, ListLeased
from activities.leases.kinds import LeaseKind
from activities.step import Step, implements
from connectors.errors import NotFound
from hitl.protocol import Effect

_PAGE: Final = 2


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LeasedMachine(_Message):
    """What names a machine at its provider: its mark."""

    mark: str


class ExtendMachine(LeasedMachine):
    until: AwareDatetime


class CreateMachine(LeasedMachine):
    name: str


class Done(_Message):
    done: bool = True


FIND_MACHINES: Final = Step(name="sample.find_machines", request=ListLeased, response=LeasedPage, effect=Effect.READ)
CHECK_MACHINE: Final = Step(
    name="sample.check_machine", request=LeasedMachine, response=LeaseStanding, effect=Effect.READ
)
END_MACHINE: Final = Step(name="sample.end_machine", request=LeasedMachine, response=Done, effect=Effect.WRITE)
EXTEND_MACHINE: Final = Step(name="sample.extend_machine", request=ExtendMachine, response=Done, effect=Effect.WRITE)
CREATE_MACHINE: Final = Step(name="sample.create_machine", request=CreateMachine, response=Done, effect=Effect.WRITE)

MACHINE: Final = LeaseKind(
    name="sample-machine",
    title="machine",
    place=LeasedMachine,
    find=FIND_MACHINES,
    check=CHECK_MACHINE,
    end=END_MACHINE,
    extend=EXTEND_MACHINE,
    by_hand=lambda place: f"sample stop {shlex.quote(place.mark)}",
    longest=timedelta(days=2),
    patience=timedelta(minutes=5),
)


def leased(mark: str) -> Leased:
    """A machine of that mark."""
    return MACHINE.leased(LeasedMachine(mark=mark), mark=mark, name=f"m-{mark}")


@dataclass
class Machines:
    """What the provider has, and what is wrong with it.

    Attributes:
        there: Marks of the machines that run.
        ended: How often each was asked to end.
        until: What was prolonged, and until when.
        lingers: So many looks say that one is still there after it was ended.
        refuses: Raised instead of ending one.
        refuses_more: Raised instead of prolonging one.
        away: Raised by every look.
    """

    there: set[str] = field(default_factory=set[str])
    ended: list[str] = field(default_factory=list[str])
    until: dict[str, AwareDatetime] = field(default_factory=dict[str, AwareDatetime])
    lingers: int = 0
    refuses: Exception | None = None
    refuses_more: Exception | None = None
    away: Exception | None = None
    created: asyncio.Event = field(default_factory=asyncio.Event)
    _going: dict[str, int] = field(default_factory=dict[str, int])

    @implements(FIND_MACHINES)
    async def find_machines(self, request: ListLeased) -> LeasedPage:
        if self.away is not None:
            raise self.away.with_traceback(None)
        after = [mark for mark in sorted(self.there) if mark > request.after]
        more = after[_PAGE - 1] if len(after) > _PAGE else ""
        return LeasedPage(found=tuple(map(leased, after[:_PAGE])), after=more)

    @implements(CHECK_MACHINE)
    async def check_machine(self, request: LeasedMachine) -> LeaseStanding:
        if self.away is not None:
            raise self.away.with_traceback(None)
        if (left := self._going.get(request.mark)) is not None:
            self._going[request.mark] = left - 1
            if left <= 0:
                self.there.discard(request.mark)
                del self._going[request.mark]
        there = request.mark in self.there
        return LeaseStanding(there=there, told="it is shutting down" if there else "")

    @implements(END_MACHINE)
    async def end_machine(self, request: LeasedMachine) -> Done:
        self.ended.append(request.mark)
        if self.refuses is not None:
            raise self.refuses.with_traceback(None)
        if request.mark in self.there:
            self._going.setdefault(request.mark, self.lingers)
        return Done()

    @implements(EXTEND_MACHINE)
    async def extend_machine(self, request: ExtendMachine) -> Done:
        if self.refuses_more is not None:
            raise self.refuses_more.with_traceback(None)
        if request.mark not in self.there:
            raise NotFound(f"there is no machine {request.mark!r}")
        self.until[request.mark] = request.until
        return Done()

    @implements(CREATE_MACHINE)
    async def create_machine(self, request: CreateMachine) -> Done:
        self.there.add(request.mark)
        self.created.set()
        return Done()
