"""What goals leave on real servers, through the shipped files: numbers, lines and spans, each with the others' ids."""

from pathlib import Path

import pytest

from observability.dashboards.__main__ import BOARDS
from observability.dashboards.board import Board, Graph, Stat, Table
from observability.dashboards.pictures.__main__ import draw_all
from observability.dashboards.pictures.answers import Answers, everything
from tests.observability.acceptance.conftest import Observed
from tests.stack.running import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]


_NO_CAP = "the policy of the embedded environment caps nothing"
EMPTY = {
    ("overview", "Budget in use"): _NO_CAP,
    ("overview", "Alerts that fire"): "nothing is broken for as long as an alert waits",
    ("goals", "Parked by goal"): "no goal parks",
    ("approvals", "Surprises"): "no example keeps to a rehearsal",
    ("approvals", "What people think of goals"): "nobody says what they think",
    ("approvals", "Broken glass"): "nobody takes the emergency path",
    ("sandbox", "Starts from the pool"): "no container waits in the embedded environment",
    ("sandbox", "Connections"): "no example asks for a network",
    ("leases", "Budget in use"): _NO_CAP,
    ("leases", "Refused for the budget"): _NO_CAP,
    **dict.fromkeys(
        (
            *(("models", "Answers"), ("models", "Tokens"), ("models", "US dollars by model")),
            *(("models", "Time of a request"), ("models", "Wait for a turn")),
        ),
        "no language model is asked",
    ),
    ("vault", "Renewals"): "tokens are renewed after hours",
    ("workers", "Calls to Temporal"): "one of its questions is about calls that fail",
    ("audit", "Refusals by reason"): "the policy refuses no example",
}
"""Panels without a number here, by board and title, each with its reason."""


def _queries(board: Board) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for panel in board.panels:
        match panel:
            case Stat() | Table():
                found.append((panel.title, panel.query))
            case Graph():
                found += [(panel.title, query) for query in panel.queries.values()]
            case _:
                pass
    return found


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


def test_every_worker_and_server_is_scraped(observed: Observed) -> None:
    up = {one["metric"]["job"]: one["value"][1] for one in observed.asked("query", query="min by (job) (up)")["result"]}
    assert up == {"banksman": "1", "temporal": "1", "telemetry": "1"}


def test_every_rule_of_alerts_and_objectives_can_be_told(observed: Observed) -> None:
    groups = observed.asked("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 50
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


def test_every_excuse_is_of_a_panel_that_is_there() -> None:
    assert EMPTY.keys() <= {(board.name, title) for board in BOARDS for title, _ in _queries(board)}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_question_of_a_dashboard_is_answered_with_numbers(observed: Observed, board: Board) -> None:
    silent: list[str] = []
    for title, query in _queries(board):
        answer = observed.asked("query", query=everything(query))["result"]
        if not answer and (board.name, title) not in EMPTY:
            silent.append(f"{title}: {everything(query)}")
    assert not silent, "\n".join(silent)


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
