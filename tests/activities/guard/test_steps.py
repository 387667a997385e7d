"""Plans of many steps under the guard, over the real ledger: each once, in order, and nothing by another's grant."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities.guard.current_attempt import Use
from activities.step_end import Way
from connectors.errors import Unavailable
from connectors.vault import VaultSession
from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import SignedDecision, position_nonce, read_decision
from hitl.approval.plan import plan_digest
from hitl.protocol import RefusalReason
from tests.activities.guard.attempts import Records
from tests.activities.guard.stepping import Killed, Steps
from tests.connectors.vault.server import House, VaultServer
from tests.hitl.approval.granting import NOW
from tests.hitl.approval.granting_steps import BASE, BRANCH, STEP_ID, purchase, step, steps_plan

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="session")
def steps_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledger(steps_vault: VaultServer) -> AsyncIterator[VaultSession]:
    """The destructive worker's own standing, with the rights of a deployment."""
    house = await House.build(steps_vault)
    yield await house.login("destructive")
    await house.close()


@pytest_asyncio.fixture(loop_scope="session")
async def steps(tmp_path: Path, ledger: VaultSession) -> AsyncIterator[Steps]:
    async with Steps.at_work(tmp_path, ledger) as made:
        yield made


Grant = tuple[SignedDecision, ...]


@pytest.fixture
def grant(steps: Steps) -> Grant:
    """Of an approval of its own: the ledger is there for all tests."""
    return approved(steps)


def approved(steps: Steps, /, *people: str, **changes: object) -> Grant:
    return steps.grant(*people, **({"approval_id": f"approval/x/{secrets.token_hex(8)}"} | changes))


async def kept(steps: Steps, grant: Grant, position: int, what: str = "") -> dict[str, object]:
    path = f"grants/{position_nonce([read_decision(one.text) for one in grant], position)}{what}"
    return json.loads(await steps.records.written(path) or "{}")


# The honest path.


async def test_each_step_runs_once_in_order(steps: Steps, grant: Grant) -> None:
    for position in (1, 2, 3):
        assert (await steps.run(steps.request(position, grant))).way == "completed"
    assert steps.destroyer.done == ["one", "two", "three"]
    assert steps.destroyer.uses == [Use.FIRST] * 3


async def test_the_record_says_who_did_what_by_whose_word(steps: Steps, grant: Grant) -> None:
    await steps.run(steps.request(1, grant))
    await steps.run(steps.request(2, grant), attempt=3)
    begun, ended = await kept(steps, grant, 2), await kept(steps, grant, 2, "-ended")
    told = {name: begun[name] for name in ("action", "position", "of", "attempt", "step_id", "run_id", "requester")}
    assert told == {
        "action": BASE,
        "position": 2,
        "of": 3,
        "attempt": 3,
        "step_id": f"{STEP_ID}/2",
        "run_id": "run-1",
        "requester": "slack:U0ERIN",
    }
    assert begun["approved_by"] == ["bob", "carol"]
    assert (await kept(steps, grant, 1))["approved_by"] == ["bob"]
    assert begun["plan"] == plan_digest(steps.gateway.plan.text())
    assert str(begun["approval"]).startswith("approval/x/")
    assert (ended["way"], ended["attempt"]) == ("completed", 3)
    allowed = [one for one in steps.events() if one.event == "allowed"]
    assert [(one.action, one.approval is not None and one.approval.id) for one in allowed] == [
        (BRANCH, begun["approval"]),
        (BASE, begun["approval"]),
    ]


async def test_an_answer_that_was_lost_is_read_again_and_then_the_next_runs(steps: Steps, grant: Grant) -> None:
    await steps.run(steps.request(1, grant))
    two = steps.execution(2)
    steps.destroyer.dies = "after"
    with pytest.raises(Killed):
        await steps.run(steps.request(2, grant), **two)
    steps.destroyer.dies = ""
    assert await steps.refused(steps.request(3, grant)) is RefusalReason.OUT_OF_ORDER
    await steps.run(steps.request(2, grant), **two, attempt=2)
    await steps.run(steps.request(3, grant))
    assert steps.destroyer.done == ["one", "two", "three"]
    assert steps.destroyer.uses == [Use.FIRST, Use.FIRST, Use.RETRY, Use.FIRST]


async def test_an_end_that_cannot_be_written_is_a_lost_answer(tmp_path: Path) -> None:
    """The effect is had, and the next step waits until Vault says so."""

    class Away(Records):
        away = False

        async def write_once(self, path: str, text: str) -> str:
            if self.away and path.endswith("-ended"):
                raise Unavailable("Vault is sealed")
            return await super().write_once(path, text)

    records = Away()
    async with Steps.at_work(tmp_path, records) as steps:
        grant, one = steps.grant(), steps.execution(1)
        records.away = True
        with pytest.raises(ApplicationError) as caught:
            await steps.run(steps.request(1, grant), **one)
        assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
        assert await steps.refused(steps.request(2, grant)) is RefusalReason.OUT_OF_ORDER
        records.away = False
        await steps.run(steps.request(1, grant), **one, attempt=2)
        await steps.run(steps.request(2, grant))
        assert steps.destroyer.done == ["one", "two"]
        assert steps.destroyer.uses == [Use.FIRST, Use.RETRY, Use.FIRST]


# Out of order.


@pytest.mark.parametrize("position", [2, 3])
async def test_a_step_before_those_before_it_is_refused(steps: Steps, grant: Grant, position: int) -> None:
    assert await steps.refused(steps.request(position, grant)) is RefusalReason.OUT_OF_ORDER
    await steps.run(steps.request(1, grant))
    assert await steps.refused(steps.request(3, grant)) is RefusalReason.OUT_OF_ORDER


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_a_step_whose_end_nobody_knows_is_the_last(steps: Steps, grant: Grant, dies: str) -> None:
    steps.destroyer.dies = "before" if dies == "before" else "after"
    with pytest.raises(Killed):
        await steps.run(steps.request(1, grant))
    steps.destroyer.dies = ""
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.OUT_OF_ORDER
    assert await steps.refused(steps.request(1, grant)) is RefusalReason.ALREADY_USED


@pytest.mark.parametrize("way", ["refused", "partially_applied", "unknown", "failed"])
async def test_after_a_step_that_was_not_carried_out_none_runs(steps: Steps, grant: Grant, way: Way) -> None:
    one = steps.execution(1)
    steps.destroyer.ends = way
    assert (await steps.run(steps.request(1, grant), **one)).way == way
    steps.destroyer.ends = "completed"
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.OUT_OF_ORDER
    # What it says when it is asked again changes nothing: the first answer stands.
    await steps.run(steps.request(1, grant), **one, attempt=2)
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.OUT_OF_ORDER


# Once.


async def test_a_position_is_used_once(steps: Steps, grant: Grant) -> None:
    await steps.run(steps.request(1, grant))
    assert await steps.refused(steps.request(1, grant)) is RefusalReason.ALREADY_USED
    other = (*grant, steps.gateway.signed("alice", approval_id=read_decision(grant[0].text).approval_id))
    assert await steps.refused(steps.request(1, other)) is RefusalReason.ALREADY_USED


async def test_two_workers_at_once_are_one(steps: Steps, grant: Grant) -> None:
    tries = [steps.run(steps.request(1, grant)) for _ in range(6)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in found) == 1
    assert steps.destroyer.done == ["one"]


# Nothing by another's grant.


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"activity_id": f"{STEP_ID}/2"}, RefusalReason.OTHER_STEP),
        ({"activity_id": STEP_ID}, RefusalReason.OTHER_STEP),
        ({"activity_id": "sequence/2/1"}, RefusalReason.OTHER_STEP),
        ({"activity_type": BASE}, RefusalReason.OTHER_ACTION),
        ({"workflow_id": "somebody-elses"}, RefusalReason.OTHER_RUN),
        ({"workflow_run_id": "run-2"}, RefusalReason.OTHER_RUN),
        ({"workflow_id": None, "workflow_run_id": None}, RefusalReason.STANDALONE),
        ({"is_local": True}, RefusalReason.LOCAL_ACTIVITY),
    ],
)
async def test_a_step_is_what_the_server_says_it_is(
    steps: Steps, grant: Grant, info: dict[str, object], reason: RefusalReason
) -> None:
    assert await steps.refused(steps.request(1, grant), **info) is reason


async def test_a_position_that_is_another_step_s_is_refused(steps: Steps, grant: Grant) -> None:
    """Steps 1 and 3 do the same to different things: the id decides which of them it is."""
    await steps.run(steps.request(1, grant))
    await steps.run(steps.request(2, grant))
    third = steps.request(1, grant)
    assert await steps.refused(third, **steps.execution(3)) is RefusalReason.OTHER_STEP
    first = steps.request(3, grant)
    assert await steps.refused(first, **steps.execution(1)) is RefusalReason.OTHER_STEP


async def test_without_a_position_nothing_of_it_runs(steps: Steps, grant: Grant) -> None:
    request = steps.request(None, grant)
    assert await steps.refused(request) is RefusalReason.MALFORMED_REQUEST
    assert await steps.refused(steps.request(4, grant)) is RefusalReason.MALFORMED_REQUEST


async def test_a_step_taken_out_of_its_plan_has_no_grant(steps: Steps, grant: Grant) -> None:
    alone = steps.request(None, grant).model_copy(update={"plan": step(BRANCH, "one").text()})
    assert await steps.refused(alone) is RefusalReason.MALFORMED_GRANT
    shorter = steps.request(1, grant).model_copy(update={"plan": steps_plan(step(BRANCH, "one")).text()})
    assert await steps.refused(shorter) is RefusalReason.OTHER_PLAN
    longer = steps_plan(*steps.gateway.plan.steps, step(BRANCH, "main"))
    more = steps.request(4, grant).model_copy(update={"plan": longer.text()})
    assert await steps.refused(more) is RefusalReason.OTHER_PLAN


async def test_a_single_approval_lets_no_step_of_many_run(steps: Steps) -> None:
    bare = approved(steps, steps=None)
    assert await steps.refused(steps.request(1, bare)) is RefusalReason.MALFORMED_GRANT


async def test_another_approval_s_steps_are_not_those_before(steps: Steps, grant: Grant) -> None:
    """The same plan, approved twice: what ran by the one says nothing of the other."""
    await steps.run(steps.request(1, grant))
    assert await steps.refused(steps.request(2, approved(steps))) is RefusalReason.OUT_OF_ORDER


async def test_quorum_is_that_of_the_step_s_own_rule(steps: Steps) -> None:
    for people in (("alice",), ("alice", "bob"), ("alice", "carol")):
        refused = await steps.refused(steps.request(1, approved(steps, *people)))
        assert refused is RefusalReason.QUORUM_NOT_MET


async def test_rules_look_at_the_step_and_not_at_the_whole(steps: Steps, grant: Grant) -> None:
    steps.path.write_text(
        steps.path.read_text().replace(
            "- allow: neon.delete_branch", "- {allow: neon.delete_branch, where: {resource: x}}"
        )
    )
    await steps.run(steps.request(1, grant))
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.NO_ALLOW_RULE


async def test_a_policy_edited_between_two_steps_counts(steps: Steps, grant: Grant) -> None:
    await steps.run(steps.request(1, grant))
    policy = steps.path.read_text()
    steps.path.write_text(policy.replace("groups: [data]\n        quorum: 2", "groups: [data]\n        quorum: 1"))
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.RULE_CHANGED
    steps.path.write_text(policy.replace("data: [bob, carol]", "data: [bob, dave]"))
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.NOT_A_MEMBER
    steps.path.write_text(policy.replace("phase: production", "phase: non_critical_writes"))
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.PHASE
    steps.path.write_text(policy)
    await steps.run(steps.request(2, grant))


async def test_the_time_covers_all_steps_and_runs_out_in_the_middle(steps: Steps, grant: Grant) -> None:
    await steps.run(steps.request(1, grant))
    steps.now = NOW + timedelta(minutes=50)
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.EXPIRED


async def test_an_attempt_that_nobody_waits_for_begins_nothing(steps: Steps, grant: Grant) -> None:
    steps.waited.until = 0
    with pytest.raises(ApplicationError, match="nobody waits for"):
        await steps.run(steps.request(1, grant))
    assert await kept(steps, grant, 1) == {}
    assert steps.destroyer.done == []


async def test_an_emergency_runs_in_order_too(steps: Steps) -> None:
    glass = approved(steps, "dave", "frank", path=ApprovalPath.BREAK_GLASS)
    assert await steps.refused(steps.request(2, glass)) is RefusalReason.OUT_OF_ORDER
    for position in (1, 2, 3):
        await steps.run(steps.request(position, glass))
    assert steps.destroyer.done == ["one", "two", "three"]


async def test_a_step_costs_what_its_own_part_says(steps: Steps) -> None:
    plan = steps_plan(step(), purchase(40))
    request = steps.request(2, ()).model_copy(update={"plan": plan.text()})
    assert (request.spend(), request.policy_context().cost) == (4000, 40)
    assert request.model_copy(update={"position": 1}).spend() is None


# Giving up.


async def test_what_is_given_up_never_runs(steps: Steps, grant: Grant) -> None:
    await steps.run(steps.request(1, grant))
    two = steps.execution(2)
    assert (await steps.give_up(grant)).since == 2
    for _ in range(2):
        assert await steps.refused(steps.request(2, grant), **two) is RefusalReason.GIVEN_UP
        assert await steps.refused(steps.request(3, grant)) is RefusalReason.GIVEN_UP
    record = await kept(steps, grant, 2)
    assert (record["why"], record["run_id"], record["position"]) == ("a test gives up", "run-1", 2)
    assert (await steps.give_up(grant, attempt=2)).since == 2
    assert steps.destroyer.done == ["one"]


async def test_where_all_was_begun_there_is_nothing_to_give_up(steps: Steps, grant: Grant) -> None:
    for position in (1, 2, 3):
        await steps.run(steps.request(position, grant))
    assert (await steps.give_up(grant)).since is None


async def test_a_step_that_begins_meanwhile_is_begun_or_given_up(steps: Steps, grant: Grant) -> None:
    running = steps.run(steps.request(1, grant))
    ran, gave = await asyncio.gather(running, steps.give_up(grant), return_exceptions=True)
    assert not isinstance(gave, BaseException)
    assert (gave.since == 2) is not isinstance(ran, BaseException)
    assert await steps.refused(steps.request(2, grant)) is RefusalReason.GIVEN_UP


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"workflow_run_id": "run-2"}, RefusalReason.OTHER_RUN),
        ({"workflow_id": "another"}, RefusalReason.OTHER_RUN),
        ({"workflow_id": None, "workflow_run_id": None}, RefusalReason.STANDALONE),
    ],
)
async def test_nobody_gives_up_what_is_another_run_s(
    steps: Steps, grant: Grant, info: dict[str, object], reason: RefusalReason
) -> None:
    assert await steps.reason(steps.give_up(grant, **info)) is reason
    assert await steps.reason(steps.give_up(())) is RefusalReason.NO_GRANT
    forged = grant[0].model_copy(update={"signature": grant[1].signature})
    assert await steps.reason(steps.give_up((forged,))) is RefusalReason.BAD_SIGNATURE
    await steps.run(steps.request(1, grant))


async def test_giving_up_needs_no_rule_and_no_time(steps: Steps, grant: Grant) -> None:
    """It can only prevent: also where the policy trusts nobody any more."""
    steps.path.write_text(steps.path.read_text().replace("phase: production", "phase: read_only"))
    steps.now = NOW + timedelta(days=9)
    assert (await steps.give_up(grant)).since == 1


async def test_a_record_that_says_nothing_lets_nothing_run(tmp_path: Path) -> None:
    records = Records()
    async with Steps.at_work(tmp_path, records) as steps:
        grant = steps.grant()
        await steps.run(steps.request(1, grant))
        for text in ("", "{", "[]", "{}", "null", '{"way":"started"}'):
            [ended] = [path for path in records.kept if path.endswith("-ended")]
            records.kept[ended] = text
            assert await steps.refused(steps.request(2, grant)) is RefusalReason.OUT_OF_ORDER
