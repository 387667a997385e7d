"""A repository that has another name by now is decided about under that name, too: a former name opens no side door."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import denial_of
from activities.guard.renamed import require_also
from activities.guard.rules import Authorizer, Execution
from activities.step import DESTRUCTIVE_EFFECTS
from connectors.errors import InvalidRequest
from hitl.protocol import RefusalReason
from tests.activities.guard.test_interceptor import PRODUCTION, House, Provider, rewrite


class Led(Provider):
    """GitHub, that leads from a former name to the present one."""

    async def touch(self, what: str) -> object:
        require_also("acme/payroll")
        return await super().touch(what)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.provider = Led()
    house.steps._provider = house.provider
    yield house
    house.close()


async def test_what_may_be_touched_under_both_names_is_and_both_are_written_down(house: House) -> None:
    assert await house.run(house.steps.read) == "read"
    told = [(one.event, one.context.get("repository_name")) for one in house.records()]
    assert told == [("allowed", "shop"), ("allowed", "payroll"), ("finished", "shop")]


async def test_what_a_rule_forbids_under_the_present_name_is_not_had_by_the_former(house: House) -> None:
    rule = "{deny: github.*, where: {repository_name: payroll}}"
    rewrite(house, f"environments: {{local: {{phase: non_critical_writes, actions: [{rule}]}}}}")
    with pytest.raises(ApplicationError) as refused:
        await house.run(house.steps.write)
    denial = denial_of(refused.value)
    assert denial is not None
    assert denial.reason is RefusalReason.DENY_RULE
    assert "called 'acme/payroll' by now" in denial.explanation
    assert house.provider.calls == [], "nothing was touched"
    told = [(one.event, one.context.get("repository_name")) for one in house.records()]
    assert told == [("allowed", "shop"), ("denied", "payroll"), ("failed", "shop")]


async def test_what_people_approved_of_the_former_name_is_not_done_to_the_present_one(house: House) -> None:
    rewrite(house, PRODUCTION)
    authorizer = Authorizer("local", "destructive", effects=DESTRUCTIVE_EFFECTS, grants=None)
    execution = Execution(info=house.environment.info, fn=house.steps.delete, args=(house.granted,))
    decision = authorizer.decide_renamed(execution, house.source.current(), "acme/payroll")
    assert decision.reason is RefusalReason.NO_GRANT


def test_where_no_guard_decides_nothing_goes_on() -> None:
    with pytest.raises(InvalidRequest, match="called 'acme/payroll' by now"):
        require_also("acme/payroll")
