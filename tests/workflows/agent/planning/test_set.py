"""The planning set: sentences over all goals, from the words over a model's wire to a plan without a mistake.

The model is scripted, so what is tried is the way and no model: that each plan can be made of its words alone, that the
checker lets it through, and that a guess in place of a question does not get through.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr
from temporalio.testing import ActivityEnvironment

from activities.agent.planning import Planning
from activities.agent.planning_contracts import AnswerRead, BriefPlannerRequest, ReadAnswerRequest
from activities.agent.prompt_form import SCHEMA
from connectors.artifacts import ArtifactStore
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.file import load_models
from connectors.models.messages import Message, Prompt, Text
from connectors.models.twin.app import TwinConfig, create_twin
from connectors.models.twin.score import Cue, Score, When
from connectors.models.twin.stage import Model
from connectors.models.twin.wires.bedrock import AwsKey
from hitl.protocol import Effect
from tests.connectors.serving import served_twin
from workflows.agent.described import described

FILE: Final = Path(__file__).with_name("set.yaml")
KEY: Final = "key-of-the-twin"
REPOSITORIES: Final = ("acme/shop", "acme/site", "acme/infra")
MODELS: Final = """\
backends: {twin: {kind: openai, url: "URL/openai/v1"}}
models: {twin/scripted: {context: 200000, enforced_schema: true, price: {input: 0, output: 0}}}
tiers: {scripted: [twin/scripted]}
routes: {plan: scripted}
data: {twin: [repository]}
"""


class Guess(BaseModel):
    """One step that nobody asked for so."""

    model_config = ConfigDict(extra="forbid")

    goal: str
    inputs: dict[str, JsonValue]


class Sentence(BaseModel):
    """One sentence, and what is to come of it."""

    model_config = ConfigDict(extra="forbid")

    ask: str
    act: list[dict[str, JsonValue]] = Field(default_factory=list[dict[str, JsonValue]])
    explore: list[dict[str, JsonValue]] = Field(default_factory=list[dict[str, JsonValue]])
    effect: Effect | None = None
    question: str | None = None
    refusal: str | None = None
    guess: Guess | None = None

    @property
    def kind(self) -> str:
        return "plan" if self.act else "question" if self.question else "refusal"

    def answer(self) -> dict[str, JsonValue]:
        """What a good planner answers."""
        says = self.question or self.refusal or "It does what was asked."
        return {"answer": self.kind, "says": says, "plan": _plan(self.act, self.explore) if self.act else None}


def _plan(act: Any, explore: Any = ()) -> dict[str, JsonValue]:
    head: dict[str, JsonValue] = {"schema": "banksman-goal-plan", "version": 1, "title": "What was asked"}
    return {**head, "explore": list(explore), "act": list(act)}


SENTENCES: Final = [Sentence.model_validate(one) for one in yaml.safe_load(FILE.read_text(encoding="utf-8"))]
GUESSED: Final = [one for one in SENTENCES if one.guess is not None]


class Way:
    """From words to what the answer comes to."""

    def __init__(self, folder: Path, client: ModelClient) -> None:
        self._artifacts, self._client = ArtifactStore(str(folder / "artifacts")), client
        self._steps = Planning(described, self._artifacts)

    async def ask(self, words: str) -> AnswerRead:
        request = BriefPlannerRequest(text=words, repositories=REPOSITORIES)
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


def _score(*, guesses: bool) -> Score:
    def cue(one: Sentence) -> Cue:
        asked = re.escape(json.dumps(one.ask, ensure_ascii=False))
        return Cue(
            when=When(last=f'"asked": {asked}'), answer=_guessed(one.guess) if guesses and one.guess else one.answer()
        )

    return Score(cues=tuple(map(cue, SENTENCES)))


def _guessed(guess: Guess) -> dict[str, JsonValue]:
    return {"answer": "plan", "says": "It must be that.", "plan": _plan([{"id": "guess", **guess.model_dump()}])}


@pytest_asyncio.fixture
async def way(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    config = TwinConfig(
        openai=KEY,
        anthropic=KEY,
        bedrock=AwsKey(access_key="AKIATWIN", secret_key=KEY),
        models=(Model(id="scripted"),),
        score=_score(guesses=getattr(request, "param", False)),
    )
    with served_twin(create_twin(config)) as twin:
        file = tmp_path / "models.yaml"
        file.write_text(MODELS.replace("URL", twin.url))
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
            assert (found.plan, found.effect) == (one.answer()["plan"], one.effect), one.ask
        else:
            assert found.says == (one.question or one.refusal)


@pytest.mark.parametrize("way", [True], indirect=True)
async def test_a_guess_in_place_of_a_question_does_not_get_through(way: Way) -> None:
    assert len(GUESSED) >= 12
    for one in GUESSED:
        found = await way.ask(one.ask)
        assert (found.plan, bool(found.mistakes)) == (None, True), one.ask
