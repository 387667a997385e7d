"""How often people decide on a day: never more than the file says, whoever asks at once and whatever is told twice."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from activities.guard import who_asked
from activities.models.decision_contracts import COUNT_DECISIONS, CountDecisions, DecisionsCounted
from activities.models.decisions import DecisionBook, DecisionsPage
from connectors.errors import Unavailable
from hitl.approval.approvers import People
from tests.activities.github.at_work import at_work
from tests.activities.models.at_work import NOON
from tests.activities.models.test_budget import limited
from tests.activities.played_book import PlayedBook
from tests.connectors.models.deployed import deployed

CAP = 5


@dataclass
class Counting:
    """The step, as goals take it; the time is what a test says."""

    folder: Path
    limits: str = f"{{{{day: {{{{decisions: {CAP}}}}}}}}}"
    loses: int = 0

    def __post_init__(self) -> None:
        self.book, self.now = PlayedBook(loses=self.loses), NOON
        models = deployed(self.folder, text=limited(self.limits))
        self.step = DecisionBook(self.book, models, environment="local", clock=lambda: self.now)

    async def count(self, run: str, decisions: int, *, by: str = "", **more: object) -> DecisionsCounted:
        async def asked(request: CountDecisions) -> DecisionsCounted:
            if by:
                who_asked.begin(who_asked.Origin(requester=by), People(identities={}, groups={}))
            return await self.step.count_decisions(request)

        request = CountDecisions.model_validate({"decisions": decisions, **more})
        return await at_work(COUNT_DECISIONS.name, workflow_id=run).run(asked, request)

    @property
    def used(self) -> int:
        return sum(DecisionsPage.read(text).sum for text in self.book.pages.values())


async def test_of_many_at_once_only_so_many_get_one_as_there_are(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    found = await asyncio.gather(*(counting.count(f"run-{number}", 1) for number in range(40)))
    assert (sum(one.refused is None for one in found), counting.used) == (CAP, CAP)
    assert "everybody has 5 of 5 decisions in use" in str(found[-1].refused)
    assert "`limits.day.decisions` in models.yaml" in str(found[-1].refused)


async def test_told_again_it_takes_nothing_more_also_where_answers_are_lost(tmp_path: Path) -> None:
    counting = Counting(tmp_path, loses=2)

    async def insist(run: str) -> DecisionsCounted:
        while True:
            try:
                return await counting.count(run, 2)
            except Unavailable:
                continue

    for _ in range(3):
        assert (await insist("one")).refused is None
    assert (await insist("two")).refused is None
    assert ((await insist("three")).refused is None, counting.used) == (False, 4)


async def test_what_was_not_needed_is_given_back_once_and_a_late_attempt_takes_nothing(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    day = (await counting.count("one", 4)).day
    for used in (1, 3):  # the second is told too late: what was said first holds
        await counting.count("one", used, day=day, ended=True)
    assert counting.used == 1
    assert (await counting.count("one", 4, day=day)).refused is None
    assert counting.used == 1
    assert (await counting.count("two", 4)).refused is None
    assert (await counting.count("three", 1)).refused is not None


async def test_nobody_gives_back_more_than_was_taken(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    day = (await counting.count("one", 2)).day
    await counting.count("one", 900, day=day, ended=True)
    await counting.count("unknown", 900, day=day, ended=True)
    assert counting.used == 2


async def test_a_day_is_everybodys_or_each_ones_and_ends(tmp_path: Path) -> None:
    counting = Counting(tmp_path, f"{{{{day: {{{{decisions: {CAP}, per: requester}}}}}}}}")
    assert (await counting.count("one", CAP, by="slack:U0ALICE")).refused is None
    refused = (await counting.count("two", 1, by="slack:U0ALICE")).refused
    assert "'slack:U0ALICE' has 5 of 5" in str(refused)
    assert (await counting.count("three", CAP, by="slack:U0BOB")).refused is None
    counting.now += timedelta(days=1)
    assert (await counting.count("four", 1, by="slack:U0ALICE")).refused is None


@pytest.mark.parametrize("limits", ["{{goal: {{decisions: 2}}}}", "{{day: {{usd: 1}}}}"])
async def test_without_that_limit_there_is_no_book(tmp_path: Path, limits: str) -> None:
    counting = Counting(tmp_path, limits)
    assert (await counting.count("one", 900)) == DecisionsCounted()
    assert counting.book.pages == {}
