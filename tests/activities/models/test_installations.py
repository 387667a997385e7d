"""What one installation of the GitHub App has its jobs spend on models: of its own, bounded, exact, and told."""

import asyncio
import dataclasses
import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.responses import Response
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.guard.error_types import denial_of
from activities.models.book import DayPage
from activities.models.budget import Held, ModelBudget, most
from activities.models.contracts import RequestModel
from activities.models.spending import SpendingActivities
from activities.models.spending_contracts import FindSpending, SpendingFound
from connectors.errors import Unavailable
from connectors.models.deployment import Models
from hitl.protocol import RefusalReason
from tests.activities.models.at_work import NOON, House, request
from tests.activities.played_book import PlayedBook
from tests.connectors.models.compatible import refuses, says
from tests.connectors.models.deployed import FILE, LAMP, asks, deployed

INFO = ActivityEnvironment().info
USED = 212
"""Millionths of a dollar that `says()` counts."""
SMALL = asks("lit?").model_copy(update={"max_tokens": 10})
ACME, GLOBEX = "4711", "4712"


def limited(limits: str) -> str:
    """The file with other limits."""
    return FILE[: FILE.index("limits:")] + f"limits: {limits}\n"


def of(house: House, limits: str, installation: str | None = ACME) -> House:
    """The house with these limits, for jobs of that installation."""
    file = limited(limits) if limits else FILE[: FILE.index("limits:")]
    return House(
        house.folder, house.server, house.url, file=file, asked_by=lambda: "github:alice", installation=installation
    )


async def ask(house: House, goal: str, wanted: RequestModel | None = None) -> None:
    """One goal asks once."""
    house.told = {"workflow_id": goal, "workflow_run_id": goal}
    await house.ask(wanted or request(SMALL))


async def denied(house: House, goal: str, wanted: RequestModel | None = None) -> str:
    """It is not asked, for there is no room."""
    asked = len(house.server.asked)
    with pytest.raises(ApplicationError) as caught:
        await ask(house, goal, wanted)
    denial = denial_of(caught.value)
    assert denial
    assert denial.reason is RefusalReason.BUDGET
    assert len(house.server.asked) == asked
    return denial.explanation


def sums(book: PlayedBook) -> Mapping[str, int]:
    """What stands on the first day's page of each installation."""
    name = "/installation-2026-11-30-"
    return {path.partition(name)[2]: DayPage.read(text).sum for path, text in book.pages.items() if name in path}


async def told(house: House, *numbers: int, days: int = 2) -> SpendingFound:
    """What the step says, as whoever shows it calls it."""
    steps = SpendingActivities(house.budget)
    return await ActivityEnvironment().run(steps.find_spending, FindSpending(installations=numbers, days=days))


async def test_one_organisations_jobs_do_not_use_up_anothers_money(house: House) -> None:
    house = of(house, "{{day: {{usd_per_installation: 0.0005}}}}")
    house.server.answers += [says(), says(), says()]
    await ask(house, "one")
    why = await denied(house, "two")
    assert "the GitHub App's installation '4711' has $0.0002 of $0.0005 in use on 2026-11-30 (UTC)" in why
    assert "`limits.day` in models.yaml" in why
    house.installation = GLOBEX
    await ask(house, "three")
    assert sums(house.book) == {ACME: USED, GLOBEX: USED}
    house.installation = ACME
    house.now += timedelta(days=1)
    await ask(house, "four")


async def test_what_github_did_not_begin_is_on_nobodys_page_and_under_no_limit_of_theirs(house: House) -> None:
    house = of(house, "{{day: {{usd_per_installation: 0.0005}}}}", None)
    house.server.answers += [says(), says(), says()]
    for goal in ("one", "two", "three"):
        await ask(house, goal)
    assert sums(house.book) == {"none": 3 * USED}


async def test_jobs_that_nobody_vouches_for_share_one_page_under_the_limit(house: House) -> None:
    house = of(house, "{{day: {{usd_per_installation: 0.0005}}}}", "unverified")
    house.server.answers.append(says())
    await ask(house, "one")
    assert "installation 'unverified' has" in await denied(house, "two")


@pytest.mark.parametrize("claim", ["installation", "account", "delivery"])
async def test_no_word_of_a_request_says_whose_it_is(house: House, claim: str) -> None:
    """A goal, a model or a repository can write what it likes into a request."""
    house = of(house, "{{day: {{usd_per_installation: 0.0005}}}}")
    house.server.answers.append(says())
    wanted = RequestModel.model_validate({**request(SMALL).model_dump(), claim: GLOBEX})
    await ask(house, "one", wanted)
    assert sums(house.book) == {ACME: USED}
    assert "'4711' has" in await denied(house, "two", wanted)


async def test_both_limits_of_a_day_hold_and_what_one_refuses_is_given_back_to_the_other(house: House) -> None:
    house = of(house, "{{day: {{usd: 0.0008, usd_per_installation: 0.0005}}}}")
    house.server.answers += [says(), says()]
    await ask(house, "one")
    assert "'4711' has" in await denied(house, "two")
    assert [DayPage.read(text).sum for path, text in house.book.pages.items() if "/day-" in path] == [USED]
    house.installation = GLOBEX
    await ask(house, "three")
    house.installation = "4713"
    assert "everybody has $0.0004 of $0.0008" in await denied(house, "four")
    assert sums(house.book) == {ACME: USED, GLOBEX: USED, "4713": 0}


async def test_what_nobody_answered_counts_and_what_was_refused_does_not(house: House) -> None:
    house = of(house, "{{day: {{usd_per_installation: 1}}}}")
    house.server.answers += [Response("{", media_type="application/json"), refuses(401), says()]
    for goal in ("one", "two"):
        with pytest.raises(ApplicationError):
            await ask(house, goal)
    await ask(house, "three")
    assert sums(house.book) == {ACME: most(house.client.models, LAMP, SMALL) + USED}


async def test_without_any_limit_an_installations_cost_is_kept_all_the_same(house: House) -> None:
    house = of(house, "")
    house.server.answers += [says(), says()]
    await ask(house, "one")
    house.installation = None
    await ask(house, "two")
    assert sums(house.book) == {ACME: USED}, "and nobody else's, for nothing limits it"
    assert (await told(house, int(ACME))).day_micros is None


async def test_the_last_days_are_told_by_installation_and_none_of_others(house: House) -> None:
    house = of(house, "{{day: {{usd_per_installation: 20}}}}")
    house.server.answers += [says(), says(), says(), says()]
    await ask(house, "one")
    house.now += timedelta(days=1)
    for installation, goal in ((ACME, "two"), (GLOBEX, "three"), (None, "four")):
        house.installation = installation
        await ask(house, goal)
    found = await told(house, int(ACME), 99, int(ACME))
    assert found.days == ("2026-12-01", "2026-11-30")
    assert {number: one.micros for number, one in found.installations.items()} == {4711: (USED, USED), 99: (0, 0)}
    assert (found.none.micros, found.unverified.micros) == ((USED, 0), (0, 0))
    assert found.day_micros == 20_000_000
    assert not [path for path in house.book.pages if path.endswith("-99")], "to look writes nothing"


async def test_a_book_that_cannot_be_read_is_no_cost_of_nothing(house: House) -> None:
    house = of(house, "{{day: {{usd_per_installation: 20}}}}")
    house.book.pages["model-limits/local/installation-2026-11-30-4711"] = '{"another": 1}'
    with pytest.raises(Unavailable, match="not of this release"):
        await told(house, int(ACME))


async def test_a_thousand_goals_of_three_installations_use_each_ones_money_to_the_last_millionth_and_no_more(
    tmp_path: Path,
) -> None:
    """Attempts lose their word, die unanswered, are refused, or are heard twice; none counts twice or elsewhere."""
    text = limited("{{day: {{usd: 5, usd_per_installation: 0.1}}}}")
    models, book = deployed(tmp_path, text=text), PlayedBook(loses=97)
    goals = _Goals(models, [ModelBudget(book, models, environment="local", clock=lambda: NOON) for _ in range(2)])
    await asyncio.gather(*map(goals.run, range(1000)))
    found = sums(book)
    assert goals.refused.keys() == {"1", "2", "3"}
    for installation, billed in goals.billed.items():
        assert billed <= found[installation]
        assert found[installation] <= 100_000 or installation == "none"


class _Goals:
    """Goals of installations, one of none, whose requests have all kinds of ends.

    Attributes:
        billed: What the backend has counted of each, whether anybody heard it or not.
        refused: How often there was no room.
    """

    def __init__(self, models: Models, workers: list[ModelBudget]) -> None:
        self._draw, self._models, self._workers = random.Random(4711), models, workers  # noqa: S311 - no secret
        self.billed: dict[str, int] = {}
        self.refused: dict[str, int] = {}

    async def run(self, goal: int) -> None:
        installation = str(goal % 4) if goal % 4 else None
        for attempt in range(1, 4):
            if await self._attempt(goal, attempt, installation):
                break

    async def _attempt(self, goal: int, attempt: int, installation: str | None) -> bool:
        """Whether the request was answered."""
        budget = self._workers[self._draw.randrange(2)]
        info: activity.Info = dataclasses.replace(
            INFO, workflow_id=f"goal-{goal}", workflow_run_id=f"run-{goal}", attempt=attempt
        )
        try:
            held = await budget.hold(info, request(SMALL), SMALL, installation=installation)
        except Unavailable:
            return False
        whose = installation or "none"
        if not isinstance(held, Held):
            self.refused[whose] = self.refused.get(whose, 0) + 1
            return True
        end = self._draw.randrange(5)
        if end == 0:
            await budget.release(held)
            return False
        self.billed[whose] = self.billed.get(whose, 0) + (USED if end > 1 else most(self._models, LAMP, SMALL))
        if end > 1:
            await budget.settle(held, USED)
        return end > 1
