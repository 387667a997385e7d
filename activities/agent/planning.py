"""The steps around a planner: they make what it is told, and look at everything in what it says."""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Final, Literal

from pydantic import JsonValue, TypeAdapter

from activities.agent.planning_contracts import (
    BRIEF_PLANNER,
    MOST_PLANNED,
    MOST_SAID,
    MOST_TOLD,
    READ_ANSWER,
    AnswerRead,
    BriefPlannerRequest,
    PlannerBriefed,
    ReadAnswerRequest,
)
from activities.agent.prompt import instructions, told
from activities.agent.prompt_form import ANSWERS
from activities.step import implements
from connectors.artifacts import ArtifactStore
from hitl.canonical import NotCanonical, canonical_json
from hitl.hidden import visible
from hitl.plan_language.catalogue import Catalogue
from hitl.plan_language.checker import check
from hitl.plan_language.grounds import ungrounded
from hitl.plan_language.language import read_plan, value_of
from hitl.plan_language.mistakes import Mistake, quoted

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,139}")
"""Names that a model is told: no space and no sentence fits in."""
_LISTS: Final[TypeAdapter[dict[str, tuple[str, ...]]]] = TypeAdapter(dict[str, tuple[str, ...]])
_FORM: Final = 'answer with one JSON object: {"answer": "plan" or "question" or "refusal", "says": text, "plan": …}'
_FIELDS: Final = frozenset({"answer", "says", "plan"})


class Planning:
    """The steps.

    Args:
        catalogue: The goals of this release, made when it is first asked for; in a thread, for it takes a while.
        artifacts: Where what a model is told and says lies.
    """

    def __init__(self, catalogue: Callable[[], Catalogue], artifacts: ArtifactStore) -> None:
        self._catalogue, self._artifacts = catalogue, artifacts

    @implements(BRIEF_PLANNER)
    async def brief_planner(self, request: BriefPlannerRequest) -> PlannerBriefed:
        """Write down what a model is told.

        Raises:
            Unavailable: The artifact store cannot be written.
        """
        lists = {name: _plain(one) for name, one in request.lists.items()}
        rules = (await asyncio.to_thread(lambda: instructions(self._catalogue()))).encode()
        asked = told(request.text, request.answers, lists).encode()
        names = sum(len({*one}) for one in request.lists.values())
        return PlannerBriefed(
            instructions=await self._artifacts.put(rules),
            told=await self._artifacts.put(asked),
            lists=await self._artifacts.put(_LISTS.dump_json(lists)),
            size=len(rules) + len(asked),
            left_out=names - sum(map(len, lists.values())),
        )

    @implements(READ_ANSWER)
    async def read_answer(self, request: ReadAnswerRequest) -> AnswerRead:
        """Look at what a model said. Mistakes are an answer, and no failure.

        Raises:
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read.
        """
        said = await self._artifacts.get(request.answer)
        lists = _LISTS.validate_json(await self._artifacts.get(request.lists))
        catalogue = await asyncio.to_thread(self._catalogue)
        return await asyncio.to_thread(_read, said, catalogue, (request.text, *request.answers), lists)


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in names if _PLAIN.fullmatch(one)))


def _read(said: bytes, catalogue: Catalogue, words: tuple[str, ...], lists: dict[str, tuple[str, ...]]) -> AnswerRead:
    try:
        value: JsonValue = value_of(said.decode())
    except (ValueError, RecursionError) as error:
        return _wrong([Mistake(at="", says=f"it cannot be read as JSON ({quoted(str(error))}); {_FORM}")])
    if not isinstance(value, dict) or value.get("answer") not in ANSWERS or not isinstance(value.get("says"), str):
        return _wrong([Mistake(at="", says=_FORM)])
    if more := sorted(value.keys() - _FIELDS):
        return _wrong([Mistake(at="", says=f"there is no field {quoted(more[0])} in an answer; {_FORM}")])
    says, plan = _short(str(value["says"])), value.get("plan")
    if value["answer"] == "plan":
        return _of_plan(says, plan, catalogue, words, lists)
    return _without_plan("question" if value["answer"] == "question" else "refusal", says, plan)


def _without_plan(kind: Literal["question", "refusal"], says: str, plan: JsonValue) -> AnswerRead:
    if plan is not None:
        return _wrong([Mistake(at="/plan", says=f"a {kind} has no plan; write null, or answer with the plan")])
    if not says:
        return _wrong([Mistake(at="/says", says="it is empty; say in one sentence what people are to know")])
    return AnswerRead(kind=kind, says=says)


def _of_plan(
    says: str, plan: JsonValue, catalogue: Catalogue, words: tuple[str, ...], lists: dict[str, tuple[str, ...]]
) -> AnswerRead:
    if not isinstance(plan, dict):
        return _wrong([Mistake(at="/plan", says="it is missing; write the plan, or ask a question")])
    if why := _too_long(plan):
        return _wrong([Mistake(at="/plan", says=why)])
    draft = read_plan(plan)
    checked = check(draft, catalogue, lists)
    found = dict.fromkeys([*checked.mistakes, *ungrounded(draft, catalogue, words, lists)])
    if found:
        return _wrong([Mistake(at=f"/plan{one.at}", says=one.says) for one in found])
    return AnswerRead(kind="plan", says=says, plan=plan, lists=lists, effect=checked.effect)


def _too_long(plan: dict[str, JsonValue]) -> str | None:
    try:
        size = len(canonical_json(plan).encode())
    except NotCanonical as error:
        return f"it cannot be written down: {error}"
    return (
        f"it is {size} bytes long, and {MOST_PLANNED} is the most: plan less at once" if size > MOST_PLANNED else None
    )


def _wrong(mistakes: list[Mistake]) -> AnswerRead:
    told_of = tuple(one.model_copy(update={"at": _short(one.at), "says": _short(one.says)}) for one in mistakes)
    return AnswerRead(mistakes=told_of[:MOST_TOLD], more_mistakes=max(0, len(mistakes) - MOST_TOLD))


def _short(text: str) -> str:
    """A stranger's words, on one line."""
    shown = visible(" ".join(text.split()))
    return shown if len(shown) <= MOST_SAID else f"{shown[: MOST_SAID - 1]}…"
