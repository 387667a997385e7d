"""The steps of a goal as a timeline: of one under way, one that ended, one that failed, and one that means harm."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

import pytest

from hitl.console.goals.timeline import FULL, ToldSteps, lasted, timeline
from tests.hitl.console.goals.steps_played import Played, playing
from tests.hitl.console.visiting import Console, Visit
from tests.workflows.approval.approving import eventually
from workflows.deploy_feature.goals import Mark, StepTold

pytestmark = pytest.mark.asyncio(loop_scope="session")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
EVIL = "<img src=x onerror=alert(1)>'\"><script>alert(2)</script>\u202egnp"


def step(name: str, mark: Mark, began: float | None = 0, ended: float | None = None, why: str = "") -> StepTold:
    """With its times in seconds after noon."""
    at = [None if one is None else NOON + timedelta(seconds=one) for one in (began, ended)]
    return StepTold(name=name, mark=mark, began=at[0], ended=at[1], why=why)


SIDE_BY_SIDE = (
    step("tests", Mark.DONE, 0, 10),
    step("preview staging", Mark.DONE, 0, 5),
    step("approval", Mark.WAITING, 10),
    step("merge", Mark.SKIPPED, None, None, "left out by alice: later"),
)


async def test_bars_lie_where_their_steps_lie_in_the_time_of_all() -> None:
    shown = timeline(ToldSteps(steps=SIDE_BY_SIDE), until=NOON + timedelta(seconds=20))
    assert shown is not None
    assert shown.took == timedelta(seconds=20)
    bars = [(one.left, one.width) for one in shown.steps]
    assert bars == [(0, FULL // 2), (0, FULL // 4), (FULL // 2, FULL // 2), (0, 0)]
    assert [one.took for one in shown.steps] == [*(timedelta(seconds=one) for one in (10, 5, 10)), None]
    assert [one.under_way for one in shown.steps] == [False, False, True, False]
    assert shown.done == 3


@pytest.mark.parametrize("until", [NOON - timedelta(hours=1), NOON, NOON + timedelta(days=400)])
async def test_no_clock_makes_a_bar_leave_its_page(until: datetime) -> None:
    shown = timeline(ToldSteps(steps=(*SIDE_BY_SIDE, step("late", Mark.RUNNING, 9_000_000))), until=until)
    assert shown is not None
    for one in shown.steps:
        assert 0 <= one.left <= one.left + one.width <= FULL, one
        assert one.took is None or one.took >= timedelta()


async def test_a_goal_that_tells_of_no_steps_has_no_timeline() -> None:
    assert timeline(None) is None
    assert timeline(ToldSteps()) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.42, "0.4 s"), (21.6, "21 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
async def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert lasted(timedelta(seconds=seconds)) == words


async def marks(visit: Visit, goal: str) -> list[tuple[str, str]]:
    """Each step of the page, with how it stands."""
    page = await visit.get(f"/goal?id={quote(goal, safe='')}")
    assert page.status_code == 200, page.text
    found = re.findall(r'<li class="step mark-(\w+)".*?<bdi>(.*?)</bdi>', page.text, re.DOTALL)
    return [(unescape(name), mark) for mark, name in found]


async def test_a_running_goal_shows_each_step_and_whom_it_waits_for(console: Console) -> None:
    played = Played(steps=SIDE_BY_SIDE, record=("paused by alice: lunch",), waiting_for="the service acme/shop")
    async with playing(console.house.client, played) as goal, console.visit("alice") as alice:
        await eventually(lambda: _is(alice, goal.id, len(SIDE_BY_SIDE)))
        assert await marks(alice, goal.id) == [(one.name, one.mark.value) for one in SIDE_BY_SIDE]
        page = (await alice.get(f"/goal?id={quote(goal.id, safe='')}")).text
        assert '<span class="sub">Waits for</span> <bdi>the service acme/shop</bdi>' in page
        assert "paused by alice: lunch" in page
        assert "left out by alice: later" in page
        assert "banksman resume" not in page
        await goal.signal("show", [step("tests", Mark.FAILED, 0, 3, "2 of 9 failed")])
        await eventually(lambda: _is(alice, goal.id, 1))
        assert await marks(alice, goal.id) == [("tests", "failed")]


async def _is(visit: Visit, goal: str, count: int) -> bool:
    return len(await marks(visit, goal)) == count


async def test_one_that_ended_keeps_its_steps_and_what_is_left_to_do(console: Console) -> None:
    console.settings = console.settings.model_copy(update={"code": "https://git.example"})
    left = 'banksman run RollBackStack --input \'{"stack":"<b>"}\''
    played = Played(steps=(step("update staging", Mark.DONE, 0, 14),), commands_left=(left,), ends=True)
    async with playing(console.house.client, played) as goal, console.visit("alice") as alice:
        await goal.result()
        page = (await alice.get(f"/goal?id={quote(goal.id, safe='')}")).text
    assert command_left(page) == left
    assert '<a href="https://git.example/acme/shop/pull/7">#7</a>' in page
    assert ">14 s</time>" in page


def command_left(page: str) -> str:
    """The command that is left, as a browser shows it."""
    [found] = re.findall(r"<pre><bdi>(.*?)</bdi></pre>", page, re.DOTALL)
    return unescape(found)


async def test_one_that_failed_still_shows_how_far_it_came(console: Console) -> None:
    played = Played(steps=(step("tests", Mark.DONE, 0, 4), step("preview staging", Mark.FAILED, 0, 6, "no state")))
    async with playing(console.house.client, played) as goal, console.visit("alice") as alice:
        await goal.signal("end", "the state database is gone")
        await eventually(lambda: _failed(alice, goal.id))
        assert await marks(alice, goal.id) == [("tests", "done"), ("preview staging", "failed")]


async def _failed(visit: Visit, goal: str) -> bool:
    page = await visit.get(f"/goal?id={quote(goal, safe='')}")
    return "the state database is gone" in page.text


async def test_names_and_reasons_of_steps_are_no_markup_and_hide_nothing(console: Console) -> None:
    evil = Played(steps=(step(EVIL, Mark.FAILED, 0, 1, EVIL),), record=(EVIL,), commands_left=(EVIL,), waiting_for=EVIL)
    ended = evil.model_copy(update={"ends": True})
    for played in (evil, ended):
        async with playing(console.house.client, played) as goal, console.visit("alice") as alice:
            if played.ends:
                await goal.result()
            await eventually(lambda one=goal.id: _is(alice, one, 1))
            page = (await alice.get(f"/goal?id={quote(goal.id, safe='')}")).text
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert page.count("&lt;script&gt;alert(2)&lt;/script&gt;") >= 3


async def test_nobody_sees_steps_who_is_not_signed_in(console: Console) -> None:
    async with playing(console.house.client, Played(steps=SIDE_BY_SIDE)) as goal, console.visit() as stranger:
        page = await stranger.get(f"/goal?id={quote(goal.id, safe='')}")
    assert page.status_code == 303
    assert "preview staging" not in page.text
