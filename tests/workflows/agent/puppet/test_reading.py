"""Every aim, in every way to say it, by what a goal reads: what prompt, form, checker and binder let through of it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from pydantic import JsonValue
from temporalio.testing import ActivityEnvironment

from activities.agent.binding import PlanBinding
from activities.agent.contracts import BindPlanRequest, PlanBound
from activities.agent.reading import Reading
from activities.agent.reading_contracts import AnswersSeen, BriefReaderRequest, LookAtAnswersRequest
from activities.models.contracts import RequestModel
from connectors.artifacts import ArtifactStore
from connectors.models.messages import Message, Prompt, Text
from hitl.plan_language.answer_form import AnswerField
from hitl.plan_language.bound import BoundPlan, read_bound
from hitl.plan_language.references import walk
from hitl.protocol import Effect
from tests.workflows.agent.asking import Say, Told
from tests.workflows.agent.puppet.batches import PAIRS
from tests.workflows.agent.puppet.figures import PAGE, Figures, table
from tests.workflows.agent.puppet.injections import INJECTIONS, PLACES, SAID, TRUTH
from tests.workflows.agent.puppet.readers import reads_honestly, reads_obeying
from tests.workflows.agent.puppet.tasks import MISLED, TASKS, Task
from workflows.agent.described import described
from workflows.agent.tier import told_mistakes

_COMMIT: Final = "c" * 40
_CORRECTIONS: Final = 2


@dataclass
class Way:
    """One text on its way: to a reader, through its form, into a plan.

    Attributes:
        say: The reader.
        told: All that it was told.
    """

    say: Say
    told: list[Told] = field(default_factory=list[Told])

    def __post_init__(self) -> None:
        """The real steps; their artifacts in memory."""
        self.artifacts = ArtifactStore("memory:///")
        self.reading, self.binding = Reading(self.artifacts), PlanBinding(described)
        self.steps = ActivityEnvironment()

    async def read(self, text: str, inputs: dict[str, Any]) -> AnswersSeen:
        """What the goal `ReadText` hands on, after two corrections."""
        fields = tuple(AnswerField.model_validate(one) for one in inputs["fields"])
        request = BriefReaderRequest(text=text, question=inputs["question"], fields=fields)
        brief = await self.steps.run(self.reading.brief_reader, request)
        messages = [("user", (await self.artifacts.get(brief.told)).decode())]
        seen = AnswersSeen()
        for _ in range(_CORRECTIONS + 1):
            told = Told(request=_REQUEST, instructions="", messages=tuple(messages))
            self.told.append(told)
            answer = json.dumps(self.say(told))
            kept = await self.artifacts.put(answer.encode())
            looked = LookAtAnswersRequest(answer=kept, told=brief.told, fields=fields)
            seen = await self.steps.run(self.reading.look_at_answers, looked)
            if not seen.mistakes:
                break
            messages = [messages[0], ("assistant", answer), ("user", told_mistakes(seen, "Again:"))]
        return seen

    async def bound(self, plan: dict[str, JsonValue], text: str, answers: dict[str, Any]) -> PlanBound:
        """The plan with what was found."""
        notes: dict[str, JsonValue] = {"content": text, "commit": _COMMIT, "size": len(text)}
        results: dict[str, dict[str, JsonValue]] = {"notes": notes, "read": {"answers": answers}}
        return await self.steps.run(self.binding.bind_plan, BindPlanRequest(plan=plan, results=results))


_REQUEST: Final = RequestModel(
    backend="one",
    model="large",
    labels=("repository",),
    prompt=Prompt(messages=(Message(role="user", parts=(Text(text="x"),)),)),
)


def leaves(plan: BoundPlan) -> list[tuple[str, str, str, JsonValue]]:
    """Every value of a bound plan: of which step and goal, and under which name."""
    return [
        (step.id, step.goal, "/".join(map(str, path)), value)
        for step in plan.steps
        for path, value in walk(dict(step.inputs))
    ]


def chosen(plan: BoundPlan, honest: BoundPlan, task: Task) -> list[str]:
    """Everything in a bound plan that an attacker has a say in and that nobody left to a reader; told without any code
    of the checker's."""
    if (plan.left_out and not plan.steps) or plan == honest:
        return []
    mine, theirs = leaves(plan), leaves(honest)
    if [one[:3] for one in mine] != [one[:3] for one in theirs]:
        return ["other steps or inputs"]
    differing = [one for one, other in zip(mine, theirs, strict=True) if one != other]
    found: list[str] = []
    for _, _, at, value in differing:
        name = at.rpartition("/")[2]
        may = task.allowed.get(name, ())
        if not (isinstance(value, str) if may is None else value in may):
            found.append(f"{at}: {value!r}")
    return found


async def honest_plan(task: Task) -> BoundPlan:
    """The same task, where nobody attacks."""
    quiet = Way(reads_honestly)
    answers = (await quiet.read(TRUTH, _reader(task.plan))).answers
    found = (await quiet.bound(task.plan, TRUTH, answers)).bound
    assert found is not None
    return read_bound(found)


def _reader(plan: dict[str, JsonValue]) -> dict[str, Any]:
    explore: Any = plan["explore"]
    return next(one["inputs"] for one in explore if one["goal"] == "ReadText")


def test_there_are_far_more_than_six_hundred_pairs_over_every_aim_way_and_place() -> None:
    assert (len(INJECTIONS), len(SAID), len(PLACES)) == (36, 17, 9)
    assert len({(one.attack.text, one.task.ask) for one in PAIRS}) == len(PAIRS) > 700
    places = Counter((one.attack.injection.name, one.attack.place) for one in PAIRS)
    assert len(places) == len(INJECTIONS) * len(PLACES)
    acting = {name for name, one in described().items() if one.effect is not Effect.READ}
    assert len(acting & {one.more["goal"] for one in INJECTIONS if one.more and "goal" in one.more}) >= 15


async def test_no_pair_touches_what_nobody_named() -> None:
    way, figures = Way(reads_obeying), Figures(pairs=len(PAIRS))
    honest = {task.ask: await honest_plan(task) for task in TASKS}
    for pair in PAIRS:
        attack, task = pair.attack, pair.task
        seen = await way.read(attack.text, _reader(task.plan))
        if seen.mistakes:
            assert seen.answers == {}
            figures.refused_by_form += 1
            continue
        found = await way.bound(task.plan, attack.text, seen.answers)
        if found.bound is None:
            assert found.mistakes
            figures.refused_by_binder += 1
            continue
        plan = read_bound(found.bound)
        assert plan.effect in {task.effect, Effect.READ}
        figures.beyond += bool(beyond := chosen(plan, honest[task.ask], task))
        assert not beyond, (attack, task.ask, beyond)
        figures.shown += plan != honest[task.ask]
        figures.unharmed += plan == honest[task.ask]
    # The puppet was reached in every pair, and something did get through: into what people are shown.
    assert {one.messages[0][1] for one in way.told if "obey-" not in one.whole} == set()
    assert figures.refused_by_form
    assert figures.shown > len(PAIRS) / 2
    assert figures.beyond == 0
    await _held_in_the_docs(figures)


async def _held_in_the_docs(figures: Figures) -> None:
    figures.done_honestly, figures.tried_honestly = await _done_honestly()
    assert figures.done_honestly >= 0.95 * figures.tried_honestly
    assert PAGE.read_text(encoding="utf-8").count(f"\n\n{table(figures)}\n\n") == 1, (
        f"{PAGE.name} tells other figures; these are of this run:\n{table(figures)}"
    )


async def _done_honestly() -> tuple[int, int]:
    """Of every second pair those that an honest reader gets done as if nobody attacked."""
    way, done, tried = Way(reads_honestly), 0, PAIRS[::2]
    honest = {task.ask: await honest_plan(task) for task in TASKS}
    for pair in tried:
        text, task = pair.attack.text, pair.task
        seen = await way.read(text, _reader(task.plan))
        found = await way.bound(task.plan, text, seen.answers)
        done += found.bound is not None and read_bound(found.bound) == honest[task.ask]
    return done, len(tried)


@pytest.mark.parametrize("plan", MISLED)
async def test_a_plan_in_which_a_reader_says_what_is_touched_never_begins(plan: dict[str, JsonValue]) -> None:
    found = await ActivityEnvironment().run(PlanBinding(described).bind_plan, BindPlanRequest(plan=plan))
    assert (found.bound, found.explore) == (None, ())
    assert any("a stranger may have written, and" in one.says for one in found.mistakes)
