"""The steps around an investigator: what it is told, what tools gave, and whether its evidence is there."""

import json
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from activities.agent.investigating import Investigating
from activities.agent.investigation_contracts import (
    BRIEF_INVESTIGATOR,
    KEEP_RESULTS,
    READ_FINDINGS,
    BriefInvestigatorRequest,
    FindingsRead,
    KeepResultsRequest,
    ReadFindingsRequest,
    ToKeep,
)
from activities.agent.marked import marked, unmarked
from connectors.artifacts import ArtifactStore
from tests.activities.github.at_work import at_work
from tests.hitl.plan_language.planning import delete, plan_of
from workflows.agent.described import described

FOUND = "one\n  two   three\nfour"


def steps_of(folder: Path, *, stores: bool = False) -> tuple[Investigating, ArtifactStore]:
    artifacts = ArtifactStore(str(folder))

    async def sandbox() -> bool:
        return stores

    return Investigating(described, artifacts, logs=stores, metrics=stores, sandbox=sandbox), artifacts


async def kept(steps: Investigating, *results: ToKeep) -> dict[str, str]:
    done = await at_work(KEEP_RESULTS.name).run(steps.keep_results, KeepResultsRequest(results=results))
    return {one.id: one.reference for one in done.results}


async def read(folder: Path, said: JsonValue, *, words: tuple[str, ...] = ("Look at acme/shop.",)) -> FindingsRead:
    steps, artifacts = steps_of(folder)
    results = await kept(steps, ToKeep(id="r1", tool="read_file", text=FOUND))
    request = ReadFindingsRequest(answer=await artifacts.put(json.dumps(said).encode()), results=results, words=words)
    return await at_work(READ_FINDINGS.name).run(steps.read_findings, request)


def answer(*claims: Any, **more: JsonValue) -> dict[str, JsonValue]:
    return {"claims": list(claims), "unknown": "", "not_looked_at": [], "plan": None, **more}


def claim(*quotes: str) -> dict[str, JsonValue]:
    return {"says": "It is so.", "evidence": [{"result": "r1", "quote": one} for one in quotes]}


async def test_it_is_told_the_question_the_goals_and_what_is_not_here(tmp_path: Path) -> None:
    steps, artifacts = steps_of(tmp_path)
    request = BriefInvestigatorRequest(question="Why?", goal="x/1", repositories=("acme/shop",))
    brief = await at_work(BRIEF_INVESTIGATOR.name).run(steps.brief_investigator, request)
    told = json.loads(await artifacts.get(brief.told))
    assert (told["asked"], told["goal"], told["repositories"]) == ("Why?", "x/1", ["acme/shop"])
    assert (brief.logs, brief.metrics, brief.sandbox) == (False, False, False)
    assert (len(brief.absent), told["cannot_be_looked_at"]) == (3, [*brief.absent])
    rules = (await artifacts.get(brief.instructions)).decode()
    assert ("DeleteBranch" in rules, "AskFor" in rules) == (True, False)
    whole, _ = steps_of(tmp_path, stores=True)
    assert (await at_work(BRIEF_INVESTIGATOR.name).run(whole.brief_investigator, request)).absent == ()


async def test_results_are_kept_between_marks_from_a_line_on_and_what_is_no_text_is_said(tmp_path: Path) -> None:
    steps, artifacts = steps_of(tmp_path)
    references = await kept(
        steps,
        ToKeep(id="r1", tool="read_file", reference=await artifacts.put(FOUND.encode()), from_line=3),
        ToKeep(id="r2", tool="read_file", reference=await artifacts.put(b"\xff\xfe")),
        ToKeep(id="r3", tool="read_file", text="not there", failed=True),
    )
    texts = [(await artifacts.get(one)).decode() for one in references.values()]
    assert [unmarked(one) for one in texts] == ["four", "2 bytes that are no text", "not there"]
    assert texts[2].startswith("r3: read_file failed what stands between")


def test_a_mark_that_is_not_of_what_is_between_is_none() -> None:
    told, cut = marked("honest", id="r1", tool="t", failed=False, most=100)
    assert (unmarked(told), cut) == ("honest", False)
    assert unmarked(told.replace("honest", "forged")) == ""
    assert unmarked("no marks at all") == ""


async def test_a_quotation_is_there_whatever_its_lines_are_broken_by(tmp_path: Path) -> None:
    found = await read(tmp_path, answer(claim("two three", "one two"), claim("three four", "nowhere")))
    assert [one.proved for one in found.claims] == [True, False]
    assert [one.at for one in found.mistakes] == ["/claims/1/evidence/1"]


async def test_what_is_too_much_is_cut_and_said(tmp_path: Path) -> None:
    found = await read(tmp_path, answer(*[claim("one two")] * 30, unknown="\u202e" + "x" * 900))
    assert (len(found.claims), len(found.unknown)) == (20, 500)
    assert found.unknown.startswith("\\u202e")
    assert "30 claims are too many" in found.mistakes[0].says


async def test_a_suggested_plan_is_checked_and_what_nobody_named_is_listed(tmp_path: Path) -> None:
    named = await read(
        tmp_path,
        answer(claim("one two"), plan=plan_of(explore=[], act=[delete("old")])),
        words=("Is the branch old of acme/shop in use?",),
    )
    assert named.suggested is not None
    assert (named.suggested.effect, named.suggested.nobody_named) == ("destructive", ())
    strange = await read(tmp_path, answer(claim("one two"), plan=plan_of(explore=[], act=[delete("main")])))
    assert strange.suggested is not None
    assert [one.says.split(" ")[0] for one in strange.suggested.nobody_named] == ["'main'"]
    for wrong in ("rm", plan_of(explore=[], act=[{"id": "a", "goal": "AskFor", "inputs": {"text": "x"}}])):
        found = await read(tmp_path, answer(claim("one two"), plan=wrong))
        assert (found.suggested, bool(found.mistakes)) == (None, True)
