"""What goals leave on real servers, through the shipped files: numbers, lines and spans, each with the others' ids."""

import asyncio
from pathlib import Path

import pytest

from deploy.local.tools import ToolUnavailableError
from observability.dashboards.__main__ import BOARDS
from observability.dashboards.pictures.__main__ import draw_all
from observability.dashboards.pictures.answers import Answers
from tests.observability.acceptance.answering import SILENT, Answering
from tests.observability.acceptance.conftest import Observed
from tests.observability.questions.everywhere import questions
from tests.observability.questions.grammars import find_grammars
from tests.observability.questions.page import Answered, read, written
from tests.stack.running import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def answered(observed: Observed) -> list[Answered]:
    try:
        grammars = asyncio.run(find_grammars())
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    return Answering(observed, grammars).all(questions())


@pytest.mark.parametrize("goal", ["ReadFile", "DeleteBranch", "InspectRedis", "PreviewAndUp"])
def test_a_goals_number_leads_to_its_trace_and_its_trace_to_its_lines(observed: Observed, goal: str) -> None:
    if goal not in observed.goals:
        pytest.skip("there is no container engine with Pulumi's image here")
    told = observed.goals[goal]
    trace_id, goal_id = told["trace_id"], f"observed/{goal}"
    eventually(lambda: f"RunWorkflow:{goal}" in observed.spans(trace_id), what="the goal's span")
    series = observed.asked("query_exemplars", query="banksman_step_seconds_bucket", start="0", end="9999999999")
    exemplars = {one["labels"]["trace_id"] for found in series for one in found["exemplars"]}
    eventually(lambda: observed.lines(f'trace_id:="{trace_id}"'), what="its lines")
    lines = observed.lines(f'trace_id:="{trace_id}"')
    assert goal_id in {line.get("temporal.workflow_id", "") for line in lines}
    assert {line["service.name"] for line in lines} >= {"worker-connectors"}
    assert exemplars, "no number leads to a trace"
    assert all(observed.spans(one) for one in sorted(exemplars)[:5]), "each leads to one that is there"


def test_each_goal_that_ran_left_its_span_its_lines_and_its_number(observed: Observed) -> None:
    assert len(observed.goals) > 15
    for goal, told in observed.goals.items():
        trace_id = told["trace_id"]
        eventually(lambda name=f"RunWorkflow:{goal}", of=trace_id: name in observed.spans(of), what=f"{goal}'s span")
        eventually(lambda of=trace_id: observed.lines(f'trace_id:="{of}"'), what=f"{goal}'s lines")
        counted = f'max(banksman_goals_ended_total{{goal="{goal}",outcome="{told["outcome"]}"}}) > 0'
        eventually(lambda query=counted: observed.asked("query", query=query)["result"], what=f"{goal}'s number")


def test_jaeger_has_the_same_trace_as_our_own_page(observed: Observed) -> None:
    trace_id = observed.goals["DeleteBranch"]["trace_id"]
    eventually(lambda: "wait for people" in observed.spans(trace_id), what="the whole trace")
    eventually(
        lambda: sorted(observed.spans_of_jaeger(trace_id)) == sorted(observed.spans(trace_id)), what="it in Jaeger"
    )


def test_every_worker_and_server_is_scraped(observed: Observed) -> None:
    up = {one["metric"]["job"]: one["value"][1] for one in observed.asked("query", query="min by (job) (up)")["result"]}
    assert up == {"banksman": "1", "temporal": "1", "telemetry": "1"}


def test_every_rule_of_alerts_and_objectives_can_be_told(observed: Observed) -> None:
    groups = observed.asked("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 50
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


def test_every_question_of_dashboards_rules_and_pages_is_parsed_and_answered(answered: list[Answered]) -> None:
    silent = [
        f"{one.question.place}, {one.question.what}: {one.question.sent}: {one.data}"
        for one in answered
        if not one.parsed or one.data.startswith(SILENT)
    ]
    assert not silent, "\n".join(silent)


def test_what_was_answered_is_written(answered: list[Answered], queries: Path) -> None:
    queries.write_text(written(answered), encoding="utf-8")
    assert [one.data for one in read(queries)] == [one.data for one in answered]


def test_every_dashboard_is_drawn_from_what_was_answered(observed: Observed, pictures: Path) -> None:
    state = observed.running.state
    draw_all(Answers(state["prometheus"]["url"], state["log_store"]["url"]), pictures)
    drawn = {path.stem: path.read_text(encoding="utf-8") for path in pictures.glob("*.svg")}
    assert drawn.keys() == {board.name for board in BOARDS}
    assert ">completed<" in drawn["goals"]
    assert "<polyline" in drawn["workers"]


def test_the_lines_of_each_process_are_there_and_hold_no_secret(observed: Observed) -> None:
    services = {line["service.name"] for line in observed.lines("* | uniq by (service.name)")}
    assert {"worker-goals", "worker-connectors", "worker-destructive", "worker-gateway"} <= services
    assert observed.lines("hvs OR ghs_ OR xoxb") == []
