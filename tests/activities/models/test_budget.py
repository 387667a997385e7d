"""What the file's limits let goals use: exact, whoever asks at once, and whoever dies before there is an answer."""

import asyncio
import dataclasses
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.guard.error_types import denial_of
from activities.models.asking import ModelActivities
from activities.models.book import MOST, Asked, Caps, DayPage, Full, Limit, RunPage, Share
from activities.models.budget import Held, ModelBudget, most
from connectors.errors import Unavailable
from connectors.models.deployment import Models
from connectors.models.messages import (
    Answer,
    Ended,
    Message,
    OutputSchema,
    Prompt,
    Text,
    Tokens,
    Tool,
    ToolCall,
    ToolResult,
)
from connectors.models.prices import cost
from connectors.models.recorded import RecordingClient
from hitl.protocol import Denial, Refusal, RefusalReason
from tests.activities.models.at_work import NOON, House, request
from tests.activities.played_book import PlayedBook
from tests.connectors.models.compatible import refuses, says
from tests.connectors.models.deployed import FILE, LAMP, asks, deployed

INFO = ActivityEnvironment().info
USED = 212
"""Millionths of a dollar that `says()` counts."""


def limited(limits: str) -> str:
    """The file with other limits."""
    return FILE[: FILE.index("limits:")] + f"limits: {limits}\n"


def small(text: str = "lit?") -> Prompt:
    """One that can cost little."""
    return asks(text).model_copy(update={"max_tokens": 10})


async def denied(house: House, **told: object) -> Denial:
    """Nobody was asked."""
    asked = len(house.server.asked)
    with pytest.raises(ApplicationError) as caught:
        await house.ask(request(small(), **told))
    denial = denial_of(caught.value)
    assert denial
    assert (denial.reason, denial.action) == (RefusalReason.BUDGET, "models.request")
    assert len(house.server.asked) == asked
    return denial


def spent(book: PlayedBook, part: str = "/run-") -> int:
    return sum(RunPage.read(text).sum() for path, text in book.pages.items() if part in path)


def day(book: PlayedBook) -> int:
    return sum(DayPage.read(text).sum for path, text in book.pages.items() if "/day-" in path)


async def test_what_an_answer_costs_stands_in_the_book(house: House) -> None:
    house.server.answers.append(says())
    await house.ask(request(small()))
    assert spent(house.book) == day(house.book) == USED


async def test_a_goal_that_has_used_its_money_asks_no_more(house: House) -> None:
    house = House(house.folder, house.server, house.url, file=limited("{{goal: {{usd: 0.0008}}}}"))
    house.server.answers += [says(), says()]
    await house.ask(request(small()))
    await house.ask(request(small()))
    refused = await denied(house)
    assert "this run of its goal has $0.0004 of $0.0008 in use" in refused.explanation
    assert "`limits.goal` in models.yaml" in refused.explanation
    house.told = {"workflow_id": "another-goal"}
    house.server.answers.append(says())
    await house.ask(request(small()))


async def test_a_day_is_everybodys_or_each_ones(house: House) -> None:
    house = House(house.folder, house.server, house.url, file=limited("{{day: {{usd: 0.0005, per: requester}}}}"))
    house.server.answers += [says(), says(), says()]
    await house.ask(request(small()))
    house.told = {"workflow_id": "another-goal"}
    refused = await denied(house)
    assert "'slack:U0ALICE' has $0.0002 of $0.0005 in use on 2026-11-30 (UTC)" in refused.explanation
    await house.ask(request(small(), requester="slack:U0BOB"))
    house.now += timedelta(days=1)
    await house.ask(request(small()))


async def test_everybody_shares_a_day_that_is_of_all(house: House) -> None:
    house = House(house.folder, house.server, house.url, file=limited("{{day: {{usd: 0.0005}}}}"))
    house.server.answers.append(says())
    await house.ask(request(small()))
    house.told = {"workflow_id": "another-goal"}
    assert "everybody has" in (await denied(house, requester="slack:U0BOB")).explanation


async def test_a_goal_asks_no_more_often_and_no_longer_than_it_may(house: House) -> None:
    house = House(house.folder, house.server, house.url, file=limited("{{goal: {{requests: 2, minutes: 30}}}}"))
    house.server.answers += [says(), says()]
    await house.ask(request(small()))
    house.now += timedelta(minutes=31)
    assert "31 of 30 minutes" in (await denied(house)).explanation
    house.now -= timedelta(minutes=1)
    await house.ask(request(small()))
    refused = await denied(house)
    assert "is one too many: this run of its goal has 2 of 2 requests in use" in refused.explanation


async def test_without_limits_there_is_no_book(house: House) -> None:
    house = House(house.folder, house.server, house.url, file=FILE[: FILE.index("limits:")])
    house.server.answers.append(says())
    await house.ask(request(small()))
    assert house.book.pages == {}


@pytest.mark.parametrize("answer", [refuses(429), refuses(529), refuses(401), refuses(400)])
async def test_what_was_refused_costs_nothing(house: House, answer: Response) -> None:
    house.server.answers.append(answer)
    with pytest.raises(ApplicationError):
        await house.ask(request(small()))
    assert spent(house.book) == day(house.book) == 0


async def test_what_nobody_answered_keeps_what_it_reserved_and_the_next_attempt_pays_for_itself(house: House) -> None:
    house.server.answers.append(Response("{", media_type="application/json"))
    with pytest.raises(ApplicationError) as caught:
        await house.ask(request(small()))
    assert caught.value.type == "OutcomeUnknown"
    reserved = most(house.client.models, LAMP, small())
    assert spent(house.book) == day(house.book) == reserved
    house.told = {"attempt": 2}
    house.server.answers.append(says())
    await house.ask(request(small()))
    assert spent(house.book) == day(house.book) == reserved + USED


async def test_an_answer_that_was_had_before_costs_nothing(house: House) -> None:
    house.server.answers.append(says())
    house.client = RecordingClient(house.client.models, house.folder / "answers")
    house.steps = ModelActivities(
        house.vault, house.client, house.artifacts, house.transcripts, budget=house.budget, served=house.served
    )
    assert [(await house.ask(request(small()))).cost_micros for _ in range(3)] == [USED, 0, 0]
    assert spent(house.book) == day(house.book) == USED
    assert [one["model"]["cost_micros"] for one in house.events() if one["event"] == "finished"] == [USED, 0, 0]


async def test_what_did_not_fit_costs_nothing(house: House) -> None:
    house.server.answers.append(refuses(400, code="context_length_exceeded"))
    assert (await house.ask(request(small()))).answer.ended is Ended.CONTEXT_TOO_LONG
    assert spent(house.book) == day(house.book) == 0


async def test_what_was_cut_in_silence_is_paid_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(*_: object, **__: object) -> Answer:
        return Answer(ended=Ended.CONTEXT_TOO_LONG, tokens=Tokens(input=120, output=8))

    monkeypatch.setattr(house.client, "ask", cut)
    assert (await house.ask(request(small()))).answer.ended is Ended.CONTEXT_TOO_LONG
    assert spent(house.book) == day(house.book) == USED


async def test_an_answer_that_counts_nothing_keeps_what_it_reserved(house: House) -> None:
    house.server.answers.append(says(usage=None))
    await house.ask(request(small()))
    assert spent(house.book) == most(house.client.models, LAMP, small())


async def test_a_book_that_cannot_be_written_asks_nobody_and_one_that_fails_after_it_loses_no_answer(
    house: House,
) -> None:
    house.book.loses = 1
    with pytest.raises(ApplicationError) as caught:
        await house.ask(request(small()))
    assert (caught.value.type, caught.value.non_retryable, house.server.asked) == ("Unavailable", False, [])
    house.book.loses = 6  # two writes were lost before, three reserve, and the first that settles is lost
    house.told = {"attempt": 2}
    house.book.writes = 2
    house.server.answers.append(says())
    assert (await house.ask(request(small()))).cost_micros == USED
    assert spent(house.book) >= USED


async def test_a_thousand_goals_at_once_on_two_workers_use_the_day_to_the_last_millionth_and_no_more(
    tmp_path: Path,
) -> None:
    """Each of their attempts may lose its word, die unanswered, be refused, or be heard twice."""
    models, book = deployed(tmp_path, text=limited("{{goal: {{usd: 0.004}}, day: {{usd: 0.5}}}}")), PlayedBook(loses=97)
    workers = [ModelBudget(book, models, environment="local", clock=lambda: NOON) for _ in range(2)]
    goals = _Goals(models, workers)
    await asyncio.gather(*map(goals.run, range(1000)))
    assert goals.refused
    assert day(book) <= 500_000
    assert goals.billed <= spent(book) <= 500_000
    settled = {path: RunPage.read(text).sum() for path, text in book.pages.items() if "/run-" in path}
    assert max(settled.values()) <= 4_000


class _Goals:
    """Goals whose requests have all kinds of ends, drawn anew for each.

    Attributes:
        billed: What the backend has counted, whether anybody heard it or not.
        refused: How often there was no room.
    """

    def __init__(self, models: Models, workers: list[ModelBudget]) -> None:
        self._draw, self._models, self._workers = random.Random(4711), models, workers  # noqa: S311 - no secret
        self.billed = self.refused = 0

    async def run(self, goal: int) -> None:
        for step in range(2):
            for attempt in range(1, 4):
                if await self._attempt(goal, step, attempt):
                    break

    async def _attempt(self, goal: int, step: int, attempt: int) -> bool:
        """Whether the request was answered."""
        budget = self._workers[self._draw.randrange(2)]
        info: activity.Info = dataclasses.replace(
            INFO, workflow_id=f"goal-{goal}", workflow_run_id=f"run-{goal}", activity_id=str(step), attempt=attempt
        )
        try:
            held = await budget.hold(info, request(small()), small())
        except Unavailable:
            return False  # and the next attempt has an entry of its own
        if not isinstance(held, Held):
            assert isinstance(held, Refusal)
            self.refused += 1
            return True
        return await self._answered(budget, held)

    async def _answered(self, budget: ModelBudget, held: Held) -> bool:
        match self._draw.randrange(5):
            case 0:
                await budget.release(held)
                return False
            case 1:
                self.billed += most(self._models, LAMP, small())
                return False  # killed in mid-request
            case _:
                self.billed += USED
                await budget.settle(held, USED)
                return True


_TEXT = st.text(max_size=60)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return deployed(tmp_path_factory.mktemp("models"))


@settings(deadline=None)
@given(
    words=_TEXT,
    arguments=_TEXT,
    result=_TEXT,
    tool=st.booleans(),
    shape=st.booleans(),
    tokens=st.integers(min_value=1, max_value=500),
)
def test_what_is_reserved_is_never_less_than_what_can_be_counted(
    models: Models,
    words: str,
    arguments: str,
    result: str,
    *,
    tool: bool,
    shape: bool,
    tokens: int,
) -> None:
    """A byte for each token, and all that the prompt holds."""
    said = (Text(text=words), ToolCall(id="1", tool="look", arguments=arguments))
    prompt = Prompt(
        instructions=Text(text=words),
        messages=(
            Message(role="assistant", parts=said),
            Message(role="user", parts=(ToolResult(id="1", tool="look", text=result),)),
        ),
        tools=(Tool(name="look", description=words, parameters={"type": "object"}),) if tool else (),
        output=OutputSchema(name="told", json_schema={"type": "object", "title": words}) if shape else None,
        max_tokens=tokens,
    )
    counted = len((words * (2 + tool + shape) + arguments + result).encode())
    assert most(models, LAMP, prompt) >= (cost(models, LAMP, Tokens(input=counted, output=tokens)) or 0)


@pytest.mark.parametrize("older", [1, 2])
def test_of_two_that_tell_a_runs_share_the_one_with_more_writes_is_right(older: int) -> None:
    page = DayPage().shared("run", Share(micros=20, writes=2), cap=100)
    assert isinstance(page, DayPage)
    assert page.shared("run", Share(micros=10, writes=older), cap=100) == page
    assert isinstance(page.shared("run", Share(micros=5, writes=3), cap=1), DayPage), "a smaller one has room"


def test_of_two_requests_of_one_run_at_once_the_one_without_room_takes_the_other_past_no_cap() -> None:
    """Both are on the run's page before either is on the day's; the second is refused and given back first."""
    day = DayPage(runs={"another": Share(micros=95, writes=1)})
    asked = Asked(micros=8, day="2026-11-30")
    one = RunPage().reserved("one", asked, now=NOON, caps=Caps())
    assert isinstance(one, RunPage)
    both = one.reserved("two", asked, now=NOON, caps=Caps())
    assert isinstance(both, RunPage)
    assert isinstance(day.shared("run", Share(micros=both.sum(), writes=both.writes), cap=100), Full)
    given_back = both.without("two")
    after = day.shared("run", Share(micros=given_back.sum(), writes=given_back.writes), cap=None)
    assert isinstance(after, DayPage)
    assert after.shared("run", Share(micros=one.sum(), writes=one.writes), cap=100) == Full(
        limit=Limit.MONEY, used=103, cap=100
    )


def test_a_request_across_midnight_counts_on_the_day_on_which_it_was_asked() -> None:
    page = RunPage.model_validate(
        {"asked": {"a": {"micros": 5, "day": "2026-11-29"}, "b": {"micros": 7, "day": "2026-11-30"}}}
    )
    assert (page.sum("2026-11-29"), page.sum("2026-11-30"), page.sum()) == (5, 7, 12)
    assert page.settled("a", 1).sum("2026-11-29") == 1


async def test_a_page_that_is_full_or_of_another_release_stops_it_and_says_so(tmp_path: Path) -> None:
    book = PlayedBook()
    budget = ModelBudget(book, deployed(tmp_path), environment="local", clock=lambda: NOON)
    held = await budget.hold(INFO, request(small()), small())
    assert isinstance(held, Held)
    entry = {"micros": 0, "day": "2026-11-30"}
    book.pages[held.run] = RunPage.model_validate({"asked": {str(one): entry for one in range(MOST)}}).text()
    budget = ModelBudget(
        book, deployed(tmp_path, text=limited("{{goal: {{usd: 2}}}}")), environment="local", clock=_noon
    )
    with pytest.raises(Unavailable, match="has asked language models 8000 times"):
        await budget.hold(INFO, request(small()), small())
    book.pages[held.run] = '{"another": 1}'
    with pytest.raises(Unavailable, match="not of this release"):
        await budget.hold(INFO, request(small()), small())


def _noon() -> datetime:
    return NOON
