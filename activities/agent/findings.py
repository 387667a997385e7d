"""What an investigator's answer holds: its form, and of every claim whether its evidence is there.

That a quotation stands in a result is looked up. Whether the claim follows from it is for people to say.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pydantic import JsonValue

from activities.agent.investigation_contracts import (
    MOST_CLAIMS,
    MOST_EVIDENCE,
    MOST_WORDS,
    SHORTEST_QUOTE,
    Claim,
    Evidence,
    FindingsRead,
    SuggestedPlan,
)
from activities.agent.planning_contracts import MOST_PLANNED, MOST_TOLD
from hitl.canonical import NotCanonical, canonical_json
from hitl.hidden import visible
from hitl.plan_language.catalogue import Catalogue
from hitl.plan_language.checker import check
from hitl.plan_language.grounds import ungrounded
from hitl.plan_language.language import read_plan, value_of
from hitl.plan_language.mistakes import Mistake, quoted

_FORM: Final = (
    'answer with one JSON object: {"claims": [], "unknown": text, "not_looked_at": [], "plan": object or null}'
)
_FIELDS: Final = frozenset({"claims", "unknown", "not_looked_at", "plan"})
Object = dict[str, JsonValue]


def read_findings(
    said: bytes, results: Mapping[str, str], catalogue: Catalogue, words: tuple[str, ...]
) -> FindingsRead:
    """Look at an answer. Mistakes are a result, and no failure.

    Args:
        said: As the model wrote it.
        results: By their ids what stands between their marks.
        catalogue: The goals that a plan may have.
        words: What people wrote.
    """
    try:
        value: JsonValue = value_of(said.decode())
    except (ValueError, RecursionError) as error:
        return _of_no_use(f"it cannot be read as JSON ({quoted(str(error))}); {_FORM}")
    if not isinstance(value, dict) or value.keys() - _FIELDS:
        return _of_no_use(_FORM)
    claims, unknown, left = value.get("claims"), value.get("unknown", ""), value.get("not_looked_at", [])
    if not (_are_claims(claims) and isinstance(unknown, str) and _are_texts(left)):
        return _of_no_use(_FORM)
    found = [_claim(one, number, results) for number, one in enumerate(cast("list[Object]", claims))]
    mistakes = [wrong for _, of_it in found for wrong in of_it]
    if not found and not unknown.strip():
        return _of_no_use("it claims nothing, and does not say in `unknown` why")
    if len(found) > MOST_CLAIMS:
        mistakes.append(Mistake(at="/claims", says=f"{len(found)} claims are too many; {MOST_CLAIMS} are the most"))
    suggested, wrong = _suggested(value.get("plan"), catalogue, words)
    return FindingsRead(
        usable=True,
        claims=tuple(claim for claim, _ in found[:MOST_CLAIMS]),
        unknown=_short(unknown),
        not_looked_at=tuple(map(_short, cast("list[str]", left)[:MOST_CLAIMS])),
        suggested=suggested,
        **_told([*mistakes, *wrong]),
    )


def _claim(value: Object, number: int, results: Mapping[str, str]) -> tuple[Claim, list[Mistake]]:
    given = cast("list[dict[str, str]]", value["evidence"])
    at = f"/claims/{number}/evidence"
    wrong = list(_false(given[:MOST_EVIDENCE], at, results))
    if not given:
        wrong.append(Mistake(at=at, says="it has no evidence: quote what shows it, or leave the claim out"))
    evidence = tuple(
        Evidence(result=_short(one["result"]), quote=_short(one["quote"])) for one in given[:MOST_EVIDENCE]
    )
    return Claim(says=_short(str(value["says"])), evidence=evidence, proved=not wrong), wrong


def _false(evidence: list[dict[str, str]], at: str, results: Mapping[str, str]) -> Iterator[Mistake]:
    for number, one in enumerate(evidence):
        here, found = f"{at}/{number}", results.get(one["result"])
        if found is None:
            known = ", ".join(results) or "none yet"
            yield Mistake(at=here, says=f"there is no result {quoted(one['result'])} in this run; there are: {known}")
            continue
        quote, whole = _plain(one["quote"]), _plain(found)
        if len(one["quote"]) > MOST_WORDS:
            yield Mistake(at=here, says=f"the quotation is longer than {MOST_WORDS} characters; quote less")
        elif not quote or quote not in whole:
            yield Mistake(at=here, says=f"{one['result']} does not say {quoted(one['quote'])}: copy what stands there")
        elif len(quote) < SHORTEST_QUOTE and quote != whole:
            yield Mistake(at=here, says=f"{quoted(quote)} is too short to show anything; quote the line that it is in")


def _suggested(
    plan: JsonValue, catalogue: Catalogue, words: tuple[str, ...]
) -> tuple[SuggestedPlan | None, list[Mistake]]:
    if plan is None:
        return None, []
    if not isinstance(plan, dict):
        return None, [Mistake(at="/plan", says="it is no plan; write one, or null")]
    if why := _too_long(plan):
        return None, [Mistake(at="/plan", says=why)]
    draft = read_plan(plan)
    checked = check(draft, catalogue, {})
    if checked.mistakes:
        return None, [Mistake(at=f"/plan{one.at}", says=one.says) for one in checked.mistakes]
    strange = tuple(
        Mistake(at=_short(one.at), says=_short(one.says))
        for one in dict.fromkeys(ungrounded(draft, catalogue, words, {}))
    )
    return SuggestedPlan(plan=plan, effect=checked.effect, nobody_named=strange[:MOST_TOLD]), []


def _too_long(plan: Object) -> str | None:
    try:
        size = len(canonical_json(plan).encode())
    except NotCanonical as error:
        return f"it cannot be written down: {error}"
    return f"it is {size} bytes long, and {MOST_PLANNED} is the most" if size > MOST_PLANNED else None


def _are_claims(value: JsonValue) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("says"), str) and _are_quotations(one.get("evidence"))
        for one in value
    )


def _are_quotations(value: JsonValue) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("result"), str) and isinstance(one.get("quote"), str)
        for one in value
    )


def _are_texts(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _plain(text: str) -> str:
    """Without a difference that nobody sees: how lines are broken and indented."""
    return " ".join(text.split())


def _of_no_use(why: str) -> FindingsRead:
    return FindingsRead(mistakes=(Mistake(at="", says=_short(why)),))


def _told(mistakes: list[Mistake]) -> dict[str, Any]:
    shown = tuple(Mistake(at=_short(one.at), says=_short(one.says)) for one in mistakes[:MOST_TOLD])
    return {"mistakes": shown, "more_mistakes": max(0, len(mistakes) - MOST_TOLD)}


def _short(text: str) -> str:
    """A stranger's words, on one line."""
    shown = visible(" ".join(text.split()))
    return shown if len(shown) <= MOST_WORDS else f"{shown[: MOST_WORDS - 1]}…"
