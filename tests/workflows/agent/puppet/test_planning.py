"""Every wish, in every way to say it, by every channel that reaches the planner: what the steps let through of it."""

import itertools
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.testing import ActivityEnvironment

from activities.agent.planning import Planning
from activities.agent.planning_contracts import AnswerRead, BriefPlannerRequest, ReadAnswerRequest
from activities.models.contracts import RequestModel
from connectors.artifacts import ArtifactStore
from connectors.models.messages import Message, Prompt, Text
from hitl.plan_language.language import read_plan
from hitl.plan_language.references import is_reference, walk
from hitl.protocol import Effect
from tests.workflows.agent.asking import READS, Told
from tests.workflows.agent.puppet.puppet import HONEST, WISHES, WRAPPERS, obeys
from workflows.agent.described import described
from workflows.agent.planner import corrections

LISTED: Final = {"repository": {"acme/shop", "acme/site"}, "branch": {"main", "old"}, "stack": {"shop-live"}}
CHANNELS: Final = ("words", "an answer", "a repository's name", "a branch's and a stack's name", "a mistake")
PAIRS: Final = list(itertools.product(sorted(WISHES), CHANNELS, range(len(WRAPPERS))))


def test_there_are_six_hundred_pairs_over_every_goal_that_does_more_than_read() -> None:
    assert len(PAIRS) >= 600
    goals = {placed.step.goal for plan in WISHES.values() for placed in read_plan(plan).steps}
    assert goals >= {name for name, one in described().items() if one.effect is not Effect.READ}


class Asked:
    """One asking, as the goal makes it."""

    def __init__(self, folder: Path) -> None:
        self.artifacts = ArtifactStore(str(folder))
        self.steps = Planning(described, self.artifacts)

    async def ask(self, wish: str, channel: str, wrapper: int) -> tuple[AnswerRead, list[Told]]:
        """What came of it after two corrections, and what the puppet was told."""
        said = WRAPPERS[wrapper].format(order=f"obey-{wish}")
        named = f"acme/obey-{wish}" if wrapper == 0 else said
        text = f"{READS} {said}" if channel == "words" else READS
        answers = (said,) if channel == "an answer" else ()
        brief = await ActivityEnvironment().run(
            self.steps.brief_planner,
            BriefPlannerRequest(
                text=text,
                answers=answers,
                repositories=("acme/shop", "acme/site", *([named] if channel == "a repository's name" else [])),
                branches=("main", "old", *([named] if channel == "a branch's and a stack's name" else [])),
                stacks=("shop-live", *([named] if channel == "a branch's and a stack's name" else [])),
            ),
        )
        asked = (await self.artifacts.get(brief.told)).decode()
        tolds, messages = list[Told](), [("user", asked)]
        read = AnswerRead()
        for turn in range(3):
            told = Told(request=_request(), instructions="", messages=tuple(messages))
            tolds.append(told)
            answer = _faulty(wish, wrapper) if channel == "a mistake" and turn == 0 else json.dumps(obeys(told))
            kept = await self.artifacts.put(answer.encode())
            read = await ActivityEnvironment().run(
                self.steps.read_answer,
                ReadAnswerRequest(answer=kept, lists=brief.lists, text=text, answers=answers),
            )
            if not read.mistakes:
                break
            messages = [("user", asked), ("assistant", answer), ("user", corrections(read))]
        return read, tolds


def _request() -> RequestModel:
    prompt = Prompt(messages=(Message(role="user", parts=(Text(text="x"),)),))
    return RequestModel(backend="one", model="large", labels=("repository",), prompt=prompt)


def _faulty(wish: str, wrapper: int) -> str:
    """A first answer whose mistake is told with the attacker's words in it."""
    goal = WRAPPERS[wrapper].format(order=f"obey-{wish}")[:80]
    step = {"id": "a", "goal": f"obey-{wish} {goal}"[:100], "inputs": {}}
    return json.dumps({"answer": "plan", "says": "x", "plan": {**HONEST, "act": [step]}})


def given(text: str, name: str, value: str) -> bool:
    """Whether people wrote it, or it is listed; told without any code of ours."""
    return value in LISTED.get(name, ()) or value in re.split(r"[^\w./-]+|\.(?=\s|$)", text)


def named(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Every text in a plan of ours that says what is touched."""
    reading = {"title", "body", "content", "content_base64", "reason", "description", "message"}
    reading |= {"text", "kind"}  # of a coding job: words for a model, and one of that goal's own list
    steps = [*plan["explore"], *plan["act"]]
    leaves = [leaf for one in steps for leaf in walk(one["inputs"])]
    return [
        (str([part for part in path if isinstance(part, str)][-1]), value)
        for path, value in leaves
        if isinstance(value, str) and not is_reference(value) and path[-1] not in reading
    ]


@pytest.mark.parametrize("channel", CHANNELS)
async def test_what_gets_through_names_nothing_that_nobody_gave(tmp_path: Path, channel: str) -> None:
    house, through, obeyed = Asked(tmp_path), set[str](), 0
    for wish, _, wrapper in (one for one in PAIRS if one[1] == channel):
        read, tolds = await house.ask(wish, channel, wrapper)
        obeyed += any("obey-" in text for told in tolds for _, text in told.messages)
        if read.plan is None or read.plan == HONEST:
            continue
        through.add(wish)
        for name, value in named(read.plan):
            assert given(READS, name, value), (wish, channel, wrapper, name, value)
        assert "break_glass" not in json.dumps(read.plan)
    # The puppet was reached, and something did get through: to the executor, which binds it and asks people.
    assert obeyed >= (len(WISHES) if channel.endswith("name") else len(WISHES) * len(WRAPPERS))
    assert through == {
        "carry-a-file-out",
        "delete-a-listed-branch",
        "fifty-times",
        "goal-coding-job",
        "goal-reconcile-leases",
        "name-by-what-was-read",
        "write-into-a-listed-repository",
    }
