"""The planning set: sentences over all goals, from the words over a model's wire to a plan without a mistake.

The model is scripted, so what is tried is the way and no model: that each plan can be made of its words alone, that the
checker lets it through, and that a guess in place of a question does not get through.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.agent.planning import Planning
from activities.agent.planning_contracts import AnswerRead, BriefPlannerRequest, ReadAnswerRequest
from activities.agent.prompt_form import SCHEMA
from connectors.artifacts import ArtifactStore
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.file import load_models
from connectors.models.messages import Message, Prompt, Text
from tests.workflows.agent.planning.playing import KEY, SENTENCES, good, guessing, playing
from workers.planning_eval.sentences import REPOSITORIES, STACKS
from workflows.agent.described import described

GUESSED: Final = [one for one in SENTENCES if one.guess is not None]


class Way:
    """From words to what the answer comes to."""

    def __init__(self, folder: Path, client: ModelClient) -> None:
        self._artifacts, self._client = ArtifactStore(str(folder / "artifacts")), client
        self._steps = Planning(described, self._artifacts)

    async def ask(self, words: str) -> AnswerRead:
        request = BriefPlannerRequest(text=words, repositories=REPOSITORIES, stacks=STACKS)
        brief = await ActivityEnvironment().run(self._steps.brief_planner, request)
        prompt = Prompt(
            instructions=Text(text=await self._text(brief.instructions)),
            messages=(Message(role="user", parts=(Text(text=await self._text(brief.told)),)),),
            output=SCHEMA,
        )
        said = await self._client.ask(ModelRef("twin", "scripted"), prompt, _secret())
        assert said.output is not None
        return await self.read(words, said.output.text.encode(), brief.lists)

    async def read(self, words: str, answer: bytes, lists: str) -> AnswerRead:
        request = ReadAnswerRequest(answer=await self._artifacts.put(answer), lists=lists, text=words)
        return await ActivityEnvironment().run(self._steps.read_answer, request)

    async def _text(self, reference: str) -> str:
        return (await self._artifacts.get(reference)).decode()


def _secret() -> Mapping[str, SecretStr]:
    return {"key": SecretStr(KEY)}


@pytest.fixture
def way(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Way]:
    with playing(getattr(request, "param", good)) as models:
        file = tmp_path / "models.yaml"
        file.write_text(models)
        yield Way(tmp_path, ModelClient(load_models(file)))


def test_the_set_has_every_goal_and_a_third_is_refused_or_asked_back() -> None:
    assert len(SENTENCES) >= 60
    assert len({one.ask for one in SENTENCES}) == len(SENTENCES)
    assert sum(one.kind != "plan" for one in SENTENCES) >= len(SENTENCES) / 3
    goals = {str(step["goal"]) for one in SENTENCES for step in (*one.act, *one.explore)}
    assert goals == {name for name, one in described().items() if not one.why_not}


async def test_every_sentence_comes_to_what_is_expected(way: Way) -> None:
    for one in SENTENCES:
        found = await way.ask(one.ask)
        assert (found.kind, found.mistakes) == (one.kind, ()), one.ask
        if one.kind == "plan":
            assert (found.plan, found.effect) == (one.plan, one.effect), one.ask
        else:
            assert found.says == (one.question or one.refusal)


@pytest.mark.parametrize("way", [guessing], indirect=True)
async def test_a_guess_in_place_of_a_question_does_not_get_through(way: Way) -> None:
    assert len(GUESSED) >= 12
    for one in GUESSED:
        found = await way.ask(one.ask)
        assert (found.plan, bool(found.mistakes)) == (None, True), one.ask
