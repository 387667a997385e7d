"""The ways that reading by a model can go."""

from typing import Any

from activities.agent.reading_contracts import BRIEF_READER, LOOK_AT_ANSWERS, AnswersSeen, ReaderBriefed
from activities.guard.error_types import ErrorType, application_error
from activities.models.contracts import FIND_MODELS, REQUEST, ModelAnswered, ModelFound, ModelLeftOut, ModelsFound
from connectors.models.messages import Answer, Ended, Text, Tokens
from hitl.plan_language.mistakes import Mistake
from tests.workflows.played import Played
from workflows.reader.goals import READ_TEXT

ONE = ModelFound(backend="one", model="small", input_micros=1_000_000, output_micros=5_000_000)
FOUND = ModelsFound(models=(ONE,))
TWO = ModelsFound(models=(ONE, ModelFound(backend="two", model="large")))
NOBODY = ModelsFound(left_out=(ModelLeftOut(backend="one", model="small", why="such data may not go there"),))
BRIEF = ReaderBriefed(instructions=f"sha256:{'a' * 64}", told=f"sha256:{'b' * 64}", size=1_000)
SAID = Answer(output=Text(reference=f"sha256:{'c' * 64}"), ended=Ended.STOP, tokens=Tokens(input=300, output=10))
ANSWERED = ModelAnswered(backend="one", model="small", answer=SAID, cost_micros=350, instructions=f"sha256:{'a' * 64}")
SEEN = AnswersSeen(answers={"version": "2.4.1"})
WRONG = AnswersSeen(mistakes=(Mistake(at="/version", says="it does not stand in the text"),))
EMPTY = application_error(ErrorType.QUOTA_EXHAUSTED, "the account has no credit left: add some")
DENIED = application_error(ErrorType.POLICY_DENIED, "nobody may be asked")


def _played(name: str, *, found: Any = (FOUND,), answered: Any = (ANSWERED,), seen: Any = (SEEN,)) -> Played:
    answers = {BRIEF_READER: [BRIEF], FIND_MODELS: found, REQUEST: answered, LOOK_AT_ANSWERS: seen}
    return Played(goal=READ_TEXT, name=name, answers=answers)


SCENARIOS = (
    _played("completed"),
    _played("corrected", seen=(WRONG, SEEN)),
    _played("not-mended", seen=(WRONG,)),
    _played("next-model", found=(TWO,), answered=(EMPTY, ANSWERED)),
    _played("no-model", found=(NOBODY,)),
    _played("denied", found=(DENIED,)),
)
