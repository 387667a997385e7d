"""The planning set on the twin: a model that answers each sentence as it should, or as a test says."""

import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from pydantic import JsonValue

from connectors.models.twin.app import TwinConfig, create_twin
from connectors.models.twin.faults import Fault
from connectors.models.twin.score import Cue, Score, When
from connectors.models.twin.stage import Model
from connectors.models.twin.wires.bedrock import AwsKey
from tests.connectors.serving import served_twin
from workers.planning_eval.sentences import Guess, Sentence, load_set, plan_of

KEY: Final = "key-of-the-twin"
MODELS: Final = """\
backends: {twin: {kind: openai, url: "URL/openai/v1"}}
models: {twin/scripted: {context: 200000, enforced_schema: true, price: {input: 1, output: 2}}}
tiers: {scripted: [twin/scripted]}
routes: {plan: scripted}
data: {twin: [repository]}
limits: {goal: {usd: 2, requests: 10}}
"""
SENTENCES: Final = load_set()

Answer = Callable[[Sentence], JsonValue | Fault]
"""What the model answers."""


def good(one: Sentence) -> dict[str, JsonValue]:
    """What a good planner answers."""
    says = one.question or one.refusal or "It does what was asked."
    return {"answer": one.kind, "says": says, "plan": one.plan if one.act else None}


def guessing(one: Sentence) -> dict[str, JsonValue]:
    """The same of one that does not ask back."""
    return good(one) if one.guess is None else planned(one.guess)


def planned(*steps: Guess) -> dict[str, JsonValue]:
    """A plan of these steps."""
    act = [{"id": f"guess-{number}", **one.model_dump()} for number, one in enumerate(steps)]
    return {"answer": "plan", "says": "It must be that.", "plan": plan_of(act)}


@contextmanager
def playing(answer: Answer) -> Generator[str]:
    """The twin, and the file of language models that has it alone, as text."""
    config = TwinConfig(
        openai=KEY,
        anthropic=KEY,
        bedrock=AwsKey(access_key="AKIATWIN", secret_key=KEY),
        models=(Model(id="scripted"),),
        score=Score(cues=tuple(_cue(one, answer(one)) for one in SENTENCES)),
    )
    with served_twin(create_twin(config)) as twin:
        yield MODELS.replace("URL", twin.url)


def _cue(one: Sentence, said: JsonValue | Fault) -> Cue:
    when = When(last=f'"asked": {re.escape(json.dumps(one.ask, ensure_ascii=False))}')
    if said is None or isinstance(said, str | int | float | list | dict):
        return Cue(when=when, answer=said)
    return Cue(when=when, fault=said)
