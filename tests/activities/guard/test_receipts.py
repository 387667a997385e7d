"""Receipts in the audit log: before an effect who approved what under which policy, after it what was answered."""

import hashlib
from pathlib import Path

import pytest

from activities.guard.receipts import ANSWER_TAG, REQUEST_TAG
from hitl.canonical import tagged_digest
from hitl.protocol import RefusalReason
from tests.activities.guard.attempts import Records
from tests.activities.guard.stepping import Steps
from tests.activities.guard.test_grants import House
from tests.activities.guard.test_spending import Bought, Buy
from tests.activities.guard.test_spending import House as Shop
from tests.hitl.approval.granting import ACTION


async def test_a_step_that_destroys_leaves_one_before_and_one_after_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.keys.refresh()
    request = house.request("alice", "bob")
    await house.run(request)
    before, after = house.events()
    assert before.approval is not None
    assert [one.person for one in before.approval.decisions] == ["alice", "bob"]
    assert before.approval.rule == house.gateway.rule().digest("live", ACTION)
    assert before.policy == f"sha256:{hashlib.sha256(house.path.read_bytes()).hexdigest()}"
    assert before.request == tagged_digest(REQUEST_TAG, request.model_dump_json())
    assert (before.answer, before.way) == (None, None)
    assert after.answer == tagged_digest(ANSWER_TAG, "null")
    assert (after.request, after.policy) == (None, before.policy)


async def test_the_one_after_says_what_state_the_step_saw(tmp_path: Path) -> None:
    async with Steps.at_work(tmp_path, Records()) as house:
        house.destroyer.ends = "partially_applied"
        answer = await house.run(house.request(1, house.grant()))
        after = house.events()[-1]
    assert (after.event, after.way) == ("finished", "partially_applied")
    assert after.answer == tagged_digest(ANSWER_TAG, answer.model_dump_json())


async def test_a_write_has_them_too_and_they_differ_with_what_was_asked_and_answered(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.shop.answer = Bought(cents=3)
    await shop.buy(5, step="1")
    await shop.buy(6, step="2")
    first, ended, second, _ = shop.records()
    assert first.request == tagged_digest(REQUEST_TAG, Buy(cents=5).model_dump_json())
    assert second.request not in {first.request, None}
    assert ended.answer == tagged_digest(ANSWER_TAG, Bought(cents=3).model_dump_json())
    shop.audit.close()


async def test_what_was_refused_or_failed_was_answered_by_nobody(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.keys.refresh()
    assert await house.refused(house.request("alice")) is RefusalReason.QUORUM_NOT_MET
    (denied,) = house.events()
    assert (denied.request, denied.answer, denied.way) == (None, None, None)
    assert denied.policy is not None
    other = tmp_path / "shop"
    other.mkdir()
    shop = Shop(other)
    shop.shop.fails = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await shop.buy(5)
    assert shop.records()[-1].answer is None
    shop.audit.close()


async def test_a_policy_that_is_edited_meanwhile_is_another_one_in_the_next_receipt(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    await shop.buy(5, step="1")
    shop.policy.write_text(shop.policy.read_text() + "\n# as before\n")
    await shop.buy(5, step="2")
    first, _, second, _ = shop.records()
    assert first.policy != second.policy
    assert second.policy == f"sha256:{hashlib.sha256(shop.policy.read_bytes()).hexdigest()}"
    shop.audit.close()
