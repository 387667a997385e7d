"""Who asked, in the policy's context, the audit log and the day's limit: who is vouched for, whatever the goal says."""

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.guard.error_types import denial_of
from activities.models.contracts import FindModelsRequest
from connectors.models.raw import Use
from hitl.protocol import RefusalReason
from tests.activities.models.at_work import House, request
from tests.connectors.models.compatible import says
from tests.connectors.models.deployed import FILE, asks

POLICY = """\
people:
  bob: [slack:U0BOB, console:bob@acme.example]
environments:
  local:
    phase: read_only
    actions:
      - deny: models.request
        where: {requester: "slack:U0EVE"}
        because: eve may not
"""
SMALL = asks("lit?").model_copy(update={"max_tokens": 10})


def asked_by(house: House, *who: str, limits: str = "{{day: {{usd: 0.0005, per: requester}}}}") -> House:
    """The house with a guard that finds out who asked: these, one a goal."""
    left = list(who)
    file = FILE[: FILE.index("limits:")] + f"limits: {limits}\n"
    return House(house.folder, house.server, house.url, POLICY, file, asked_by=lambda: left.pop(0))


async def test_whoever_is_vouched_for_counts_and_not_whom_the_goal_says(house: House) -> None:
    house = asked_by(house, "slack:U0BOB")
    house.server.answers.append(says())
    await house.ask(request(SMALL, requester="slack:U0ALICE"))
    assert [one["context"]["requester"] for one in house.events()] == ["slack:U0BOB", "slack:U0BOB"]


async def test_a_rule_on_who_asked_holds_though_the_goal_says_somebody_else(house: House) -> None:
    house = asked_by(house, "slack:U0EVE")
    with pytest.raises(ApplicationError) as caught:
        await house.ask(request(SMALL, requester="slack:U0BOB"))
    denial = denial_of(caught.value)
    assert denial
    assert denial.reason is RefusalReason.DENY_RULE
    assert house.server.asked == []


async def test_a_day_is_one_persons_whichever_way_they_came_and_another_one_has_their_own(house: House) -> None:
    house = asked_by(house, "slack:U0BOB", "console:bob@acme.example", "slack:U0ALICE", "unverified", "unverified")
    house.server.answers += [says(), says(), says()]
    await house.ask(request(SMALL))
    house.told = {"workflow_id": "two", "workflow_run_id": "two"}
    with pytest.raises(ApplicationError, match=r"'bob' has \$0\.0002 of \$0\.0005 in use"):
        await house.ask(request(SMALL, requester="slack:U0SOMEBODY"))
    house.told = {"workflow_id": "three", "workflow_run_id": "three"}
    await house.ask(request(SMALL))
    house.told = {"workflow_id": "four", "workflow_run_id": "four"}
    await house.ask(request(SMALL))
    house.told = {"workflow_id": "five", "workflow_run_id": "five"}
    with pytest.raises(ApplicationError, match="'unverified' has"):
        await house.ask(request(SMALL, requester="slack:U0FRESH"))


async def test_each_run_is_looked_up_once(house: House) -> None:
    house = asked_by(house, "slack:U0BOB", "slack:U0ALICE", limits="{{goal: {{usd: 1}}}}")
    house.server.answers += [says(), says(), says()]
    for run in ("one", "one", "two"):
        house.told = {"workflow_run_id": run}
        await house.ask(request(SMALL))
    assert house.looked == 2


@pytest.mark.parametrize("status", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED])
async def test_nobody_is_asked_while_it_cannot_be_told(house: House, status: RPCStatusCode) -> None:
    def away() -> str:
        raise RPCError("away", status, b"")

    house = asked_by(house)
    house.asked_by = away
    with pytest.raises(ApplicationError, match="who asked") as caught:
        await house.ask(request(SMALL))
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert house.server.asked == []
    assert not house.log.exists() or house.events() == []


async def test_a_run_that_temporal_does_not_know_is_nobodys(house: House) -> None:
    def gone() -> str:
        raise RPCError("gone", RPCStatusCode.NOT_FOUND, b"")

    house = asked_by(house)
    house.asked_by = gone
    house.server.answers.append(says())
    await house.ask(request(SMALL))
    assert house.events()[0]["context"]["requester"] == "unverified"


async def test_what_only_looks_asks_nobody_who_asked(house: House) -> None:
    house = asked_by(house)
    assert (await house.steps.find_models(FindModelsRequest(use=Use.PLAN, labels=("public",)))).models
    assert house.looked == 0
