"""A grant acts once: its first execution and the retries of that, and nobody else."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.guard.current_attempt import Use
from activities.guard.grant_use import use_grant
from activities.guard.granted import GrantedRequest
from connectors.errors import Unavailable
from hitl.protocol import Refusal, RefusalReason
from tests.hitl.approval.granting import Gateway, make_plan

SCHEDULED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Records:
    """Keeps what was written first."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.lose_answers = 0

    async def write_once(self, path: str, text: str) -> str:
        found = self.kept.setdefault(path, text)
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unavailable("the answer was lost")
        return found

    async def written(self, path: str) -> str | None:
        return self.kept.get(path)


async def use(records: Records, request: GrantedRequest, **info: object) -> Use | Refusal:
    given: dict[str, object] = {"scheduled_time": SCHEDULED, "activity_id": "a/1"}
    told = dataclasses.replace(ActivityEnvironment.default_info(), **(given | info))  # pyright: ignore[reportArgumentType] - any field
    return await use_grant(records, told, request)


async def refused(records: Records, request: GrantedRequest, **info: object) -> RefusalReason:
    found = await use(records, request, **info)
    assert isinstance(found, Refusal)
    return found.reason


@pytest.fixture
def request_(tmp_path: Path) -> GrantedRequest:
    return GrantedRequest(plan=make_plan().text(), decisions=tuple(Gateway(tmp_path).grant("alice", "bob", "carol")))


async def test_the_first_acts_and_its_retries_read_first(request_: GrantedRequest) -> None:
    records = Records()
    assert await use(records, request_) is Use.FIRST
    assert await use(records, request_, attempt=2) is Use.RETRY


async def test_a_try_that_counts_from_one_again_reads_first(request_: GrantedRequest) -> None:
    records = Records()
    await use(records, request_)
    assert await use(records, request_, started_time=SCHEDULED + timedelta(minutes=1)) is Use.RETRY


async def test_the_try_that_wrote_the_record_is_the_first_whatever_its_number(request_: GrantedRequest) -> None:
    """Those before it came to an end before they wrote it, and so did nothing."""
    assert await use(Records(), request_, attempt=3) is Use.FIRST


async def test_a_record_of_an_earlier_release_is_known_again(request_: GrantedRequest) -> None:
    records = Records()
    await use(records, request_)
    [(path, text)] = records.kept.items()
    kept = json.loads(text)
    records.kept[path] = json.dumps({name: kept[name] for name in kept.keys() - {"attempt", "started"}})
    assert await use(records, request_) is Use.RETRY
    assert await refused(records, request_, activity_id="a/2") is RefusalReason.ALREADY_USED


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", "null"])
async def test_a_record_that_says_nothing_lets_nothing_run(request_: GrantedRequest, text: str) -> None:
    records = Records()
    await use(records, request_)
    records.kept = dict.fromkeys(records.kept, text)
    assert await refused(records, request_) is RefusalReason.ALREADY_USED


async def test_a_lost_answer_leaves_a_retry_that_reads_first(request_: GrantedRequest) -> None:
    records = Records()
    records.lose_answers = 1
    with pytest.raises(Unavailable):
        await use(records, request_)
    assert await use(records, request_, attempt=2) is Use.RETRY


@pytest.mark.parametrize(
    "info",
    [
        {"scheduled_time": SCHEDULED + timedelta(microseconds=1)},
        {"activity_id": "a/2"},
        {"workflow_run_id": "another"},
        {"workflow_id": "another"},
        {"scheduled_time": SCHEDULED + timedelta(seconds=1), "attempt": 2},
    ],
)
async def test_another_execution_is_refused(request_: GrantedRequest, info: dict[str, object]) -> None:
    records = Records()
    await use(records, request_)
    assert await refused(records, request_, **info) is RefusalReason.ALREADY_USED


async def test_another_choice_of_the_same_approval_s_decisions_is_the_same_grant(request_: GrantedRequest) -> None:
    records = Records()
    await use(records, request_.model_copy(update={"decisions": request_.decisions[:2]}))
    other = request_.model_copy(update={"decisions": request_.decisions[1:]})
    assert await refused(records, other, activity_id="a/2") is RefusalReason.ALREADY_USED


async def test_what_is_no_grant_cannot_be_used_up() -> None:
    records = Records()
    found = await use_grant(records, ActivityEnvironment.default_info(), {"plan": "{}"})
    assert isinstance(found, Refusal)
    assert (found.reason, records.kept) == (RefusalReason.NO_GRANT, {})
