"""What a planner is told, and what its answer comes to: the steps alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.agent.planning import Planning
from activities.agent.planning_contracts import (
    MOST_PLANNED,
    MOST_SAID,
    MOST_TOLD,
    AnswerRead,
    BriefPlannerRequest,
    PlannerBriefed,
    ReadAnswerRequest,
)
from connectors.artifacts import ArtifactStore
from connectors.errors import NotFound
from tests.hitl.plan_language.planning import MOTTO, OPEN, plan_of, step
from workflows.agent.described import described

WORDS = "Read MOTTO.md of acme/shop, and the README of the shop."


class House:
    """The steps, and where what they write lies."""

    def __init__(self, folder: Path) -> None:
        self.artifacts = ArtifactStore(str(folder))
        self.steps = Planning(described, self.artifacts)

    async def brief(self, **more: Any) -> PlannerBriefed:
        return await ActivityEnvironment().run(self.steps.brief_planner, BriefPlannerRequest(text=WORDS, **more))

    async def read(self, said: object, **more: Any) -> AnswerRead:
        answer = await self.artifacts.put(said.encode() if isinstance(said, str) else json.dumps(said).encode())
        lists = (await self.brief(repositories=("acme/shop", "acme/site"), branches=("main",))).lists
        request = ReadAnswerRequest(answer=answer, lists=lists, text=WORDS, **more)
        return await ActivityEnvironment().run(self.steps.read_answer, request)

    async def text(self, reference: str) -> str:
        return (await self.artifacts.get(reference)).decode()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def planned(**plan: Any) -> dict[str, Any]:
    return {"answer": "plan", "says": "ok", "plan": plan_of(**plan)}


async def test_the_prompt_is_the_same_for_every_question_and_known_by_its_digest(house: House) -> None:
    one, other = await house.brief(), await house.brief(repositories=("acme/shop",), answers=("yes",))
    assert (one.instructions, one.told) == (other.instructions, one.told)
    assert one.told != other.told
    rules = await house.text(one.instructions)
    assert WORDS not in rules
    assert len(rules.encode()) + len((await house.text(one.told)).encode()) == one.size


async def test_every_goal_that_a_plan_can_have_is_told_and_no_other(house: House) -> None:
    lines = (await house.text((await house.brief()).instructions)).splitlines()
    goals = [json.loads(one)["goal"] for one in lines if one.startswith('{"goal"')]
    assert goals == sorted(name for name, one in described().items() if not one.why_not)
    assert {"AskFor", "RunPlan"}.isdisjoint(goals)


async def test_names_are_told_as_json_and_only_plain_ones(house: House) -> None:
    strange = ("main", "main", "a b", "x\ny", "-x", "\u0430", "y" * 141, "feature/ok-1.2_3")
    brief = await house.brief(branches=strange)
    assert json.loads(await house.text(brief.told))["names"]["branch"] == ["main", "feature/ok-1.2_3"]
    assert brief.left_out == 5


async def test_a_plan_of_given_names_is_one(house: House) -> None:
    found = await house.read(planned(explore=[MOTTO], act=[OPEN]))
    assert (found.kind, found.effect, found.mistakes) == ("plan", "write", ())
    assert found.lists == {"repository": ("acme/shop", "acme/site"), "branch": ("main",)}


async def test_all_mistakes_are_told_at_once_of_form_of_type_and_of_names(house: House) -> None:
    wrong = step(MOTTO, id="two", inputs={"repository": "evil/shop", "path": "../x", "more": 1})
    found = await house.read(planned(explore=[MOTTO], act=[step(OPEN, goal="X"), wrong]))
    assert found.plan is None
    places = {one.at for one in found.mistakes}
    assert {"/plan/act/0/goal", "/plan/act/1/inputs/repository", "/plan/act/1/inputs/path"} <= places
    assert "/plan/act/1/inputs/more" in places


async def test_mistakes_are_as_many_and_as_long_as_a_history_takes(house: House) -> None:
    many = [step(MOTTO, id=f"s{number}", goal="G" * 100) for number in range(40)]
    found = await house.read(planned(explore=[], act=many))
    assert (len(found.mistakes), found.more_mistakes) == (MOST_TOLD, 20)
    assert max(len(one.says) for one in found.mistakes) <= MOST_SAID


async def test_a_plan_that_is_too_long_is_none(house: House) -> None:
    long = step(OPEN, inputs={"repository": "acme/site", "title": "x", "body": "y" * MOST_PLANNED, "files": []})
    found = await house.read(planned(act=[long]))
    assert [one.says for one in found.mistakes if "is the most" in one.says]


@pytest.mark.parametrize("kind", ["question", "refusal"])
async def test_a_question_and_a_refusal_are_short_and_hide_nothing(house: House, kind: str) -> None:
    found = await house.read({"answer": kind, "says": "Which\u202e\n one?" + "z" * 9_000, "plan": None})
    assert (found.kind, len(found.says)) == (kind, MOST_SAID)
    assert found.says.startswith("Which\\u202e one?")


@pytest.mark.parametrize(
    "said",
    ["", "yes", "{", "null", '{"answer":"plan","says":1,"plan":{}}'],
)
async def test_what_is_no_answer_is_a_mistake_and_no_failure(house: House, said: str) -> None:
    found = await house.read(said)
    assert (found.kind, len(found.mistakes)) == (None, 1)


async def test_half_a_character_is_written_out_and_is_in_no_plan(house: House) -> None:
    assert (await house.read('{"answer": "refusal", "says": "\\ud800", "plan": null}')).says == "\\ud800"
    found = await house.read(json.dumps(planned(title="\ud800")))
    assert (found.plan, found.mistakes[0].at) == (None, "/plan")


async def test_bytes_that_are_no_text_are_a_mistake(house: House) -> None:
    answer = await house.artifacts.put(b"\xff\xfe")
    request = ReadAnswerRequest(answer=answer, lists=(await house.brief()).lists, text=WORDS)
    found = await ActivityEnvironment().run(house.steps.read_answer, request)
    assert len(found.mistakes) == 1


async def test_an_answer_that_is_gone_is_told_as_such(house: House) -> None:
    request = ReadAnswerRequest(answer="sha256:" + "0" * 64, lists=(await house.brief()).lists, text=WORDS)
    with pytest.raises(NotFound):
        await ActivityEnvironment().run(house.steps.read_answer, request)
