"""What goals leave on real servers, through the shipped files: numbers, lines and spans, each with the others' ids."""

import asyncio
import html
import re
from pathlib import Path
from typing import Any

import httpx
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
from workflows.catalogue import GOALS

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def answered(observed: Observed) -> list[Answered]:
    try:
        grammars = asyncio.run(find_grammars())
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    return Answering(observed, grammars).all(questions())


def told(observed: Observed, goal: str) -> dict[str, Any]:
    """What was said of its run; skips where this machine lacks what it needs."""
    if goal in observed.left_out:
        pytest.skip(observed.left_out[goal])
    return observed.goals[goal]


def test_every_goal_of_the_catalogue_ran_and_completed(observed: Observed) -> None:
    assert observed.goals.keys() | observed.left_out.keys() == {goal.name for goal in GOALS}
    ended = {goal: one for goal, one in observed.goals.items() if one["outcome"] != "completed"}
    assert not ended


@pytest.mark.parametrize("goal", [goal.name for goal in GOALS])
def test_each_goal_left_its_span_its_lines_and_its_number_with_each_others_ids(observed: Observed, goal: str) -> None:
    said = told(observed, goal)
    trace_id, goal_id = said["trace_id"], f"observed/{goal}"
    eventually(lambda: f"RunWorkflow:{goal}" in observed.spans(trace_id), what="its span")
    eventually(lambda: f"RunWorkflow:{goal}" in observed.spans_of_jaeger(trace_id), what="its span in Jaeger")
    eventually(lambda: goal_id in observed.ids_of(trace_id), what="a line with its trace and its id")
    counted = f'max(banksman_goals_ended_total{{goal="{goal}",outcome="{said["outcome"]}"}}) > 0'
    eventually(lambda: observed.asked("query", query=counted)["result"], what="its number")


def test_a_number_leads_to_a_trace_that_is_there_and_the_trace_to_its_lines(observed: Observed) -> None:
    series = observed.asked("query_exemplars", query="banksman_step_seconds_bucket", start="0", end="9999999999")
    exemplars = {one["labels"]["trace_id"] for found in series for one in found["exemplars"]}
    assert exemplars, "no number leads to a trace"
    for trace_id in sorted(exemplars)[:5]:
        eventually(lambda one=trace_id: observed.spans(one), what="the trace")
        eventually(lambda one=trace_id: observed.ids_of(one), what="its lines")


def test_goals_are_counted_by_how_they_ended_and_by_nothing_else(observed: Observed) -> None:
    """Whoever is denied, rejected or cancelled has not completed."""
    ended = {(goal, one["outcome"]) for goal, one in observed.goals.items()} | set(observed.otherwise)
    assert {"failed", "denied", "rejected", "cancelled"} <= {outcome for _, outcome in observed.otherwise}

    def counted() -> set[tuple[str, str]]:
        found = observed.asked("query", query="max by (goal, outcome) (banksman_goals_ended_total) > 0")["result"]
        return {(one["metric"]["goal"], one["metric"]["outcome"]) for one in found}

    eventually(lambda: counted() >= ended, what="the count of what ended")
    assert counted() == ended


def test_jaeger_has_the_same_trace_as_our_own_page(observed: Observed) -> None:
    trace_id = observed.goals["DeleteBranch"]["trace_id"]
    eventually(lambda: "wait for people" in observed.spans(trace_id), what="the whole trace")
    eventually(
        lambda: sorted(observed.spans_of_jaeger(trace_id)) == sorted(observed.spans(trace_id)), what="it in Jaeger"
    )


def test_a_trace_leads_back_to_temporals_ui_and_to_the_console(observed: Observed) -> None:
    state, trace_id = observed.running.state, observed.goals["DeleteBranch"]["trace_id"]
    page = httpx.get(f"{state['traces']['url']}/trace/{trace_id}").text
    links = [html.unescape(one) for one in re.findall(r'href="(http[^"]+)"', page)]
    [in_temporal] = [one for one in links if one.startswith(f"{state['temporal']['ui']}/")]
    assert "WorkflowId" in in_temporal
    assert f"{state['console']['url']}/goal?id=observed/DeleteBranch" in links
    assert httpx.get(in_temporal).is_success


def test_every_worker_and_server_is_scraped(observed: Observed) -> None:
    up = {one["metric"]["job"]: one["value"][1] for one in observed.asked("query", query="min by (job) (up)")["result"]}
    assert up == {"banksman": "1", "temporal": "1", "telemetry": "1"}


def test_every_rule_of_alerts_and_objectives_can_be_told(observed: Observed) -> None:
    groups = observed.asked("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 50
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


def test_every_question_of_dashboards_rules_and_pages_is_parsed_and_answered(
    observed: Observed, answered: list[Answered]
) -> None:
    silent = [
        f"{one.question.place}, {one.question.what}: {one.question.sent}: {one.data}"
        for one in answered
        if not one.parsed or one.data.startswith(SILENT)
    ]
    if silent and observed.left_out:
        pytest.skip(f"not every goal can be run here: {observed.left_out}; so there is no data for {silent}")
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
