"""Rules, dashboards and runbooks agree with each other and with the names that the code uses."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml
from prometheus_client import REGISTRY

from activities.guard import step_metrics
from deploy.local.tools import Tool, ToolUnavailableError, resolve
from hitl.gateway.counts import ends
from observability import names

_ROOT = Path(__file__).parents[2]
_PROMETHEUS = _ROOT / "observability/prometheus"
_RULES = ("alerts.yml", "objectives.yml")
_CASES = ("alerts_test.yml", "objectives_test.yml")
_DASHBOARDS = sorted((_ROOT / "observability/grafana/dashboards").glob("*.json"))
_METRIC = re.compile(r"\b(?:banksman|temporal|process|python)_[a-z0-9_]+")
_FOREIGN = ("temporal_", "process_", "python_", "otelcol_")
_SUFFIXES = ("_bucket", "_count", "_sum")


def _rules(kind: str = "alert") -> list[dict[str, object]]:
    groups = [group for name in _RULES for group in yaml.safe_load((_PROMETHEUS / name).read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def _named(rule: dict[str, object]) -> str:
    return f"{rule.get('alert') or rule['record']}-{cast('dict[str, str]', rule.get('labels', {})).get('severity')}"


def _tested() -> dict[tuple[str, str], bool]:
    """Alerts and severities with a case, and whether one of their cases fires."""
    found: dict[tuple[str, str], bool] = {}
    for test in [test for name in _CASES for test in yaml.safe_load((_PROMETHEUS / name).read_text())["tests"]]:
        for case in test["alert_rule_test"]:
            for alert in case.get("exp_alerts", []):
                found[case["alertname"], alert["exp_labels"]["severity"]] = True
    return found


def _objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        yield mapping
        for item in mapping.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _objects(item)


def _expressions(path: Path) -> list[str]:
    """What a dashboard asks Prometheus."""
    targets = [found for found in _objects(json.loads(path.read_text())) if "expr" in found]
    return [str(one["expr"]) for one in targets if cast("dict[str, str]", one["datasource"])["type"] == "prometheus"]


def _own_metrics() -> set[str]:
    return {str(value) for name, value in vars(names).items() if name.startswith("METRIC_")}


def _unknown(expression: str) -> list[str]:
    own = _own_metrics()
    used = {name for name in _METRIC.findall(re.sub(r'"[^"]*"', '""', expression)) if not name.startswith(_FOREIGN)}
    bases = {name: next((name.removesuffix(s) for s in _SUFFIXES if name.endswith(s)), name) for name in used}
    return sorted(name for name, base in bases.items() if name not in own and base not in own)


@pytest.fixture(scope="module")
def promtool() -> tuple[str, ...]:
    try:
        return asyncio.run(resolve(Tool.PROMTOOL)).command
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))


def test_the_rules_are_valid(promtool: tuple[str, ...]) -> None:
    for words in (["check", "rules", *_RULES], ["check", "config", "--syntax-only", "prometheus.yml"]):
        done = subprocess.run([*promtool, *words], cwd=_PROMETHEUS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cases", _CASES)
def test_each_alert_fires_when_it_should_and_only_then(promtool: tuple[str, ...], cases: str) -> None:
    done = subprocess.run(
        [*promtool, "test", "rules", cases], cwd=_PROMETHEUS, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "alert"),
    [
        ("alerts", 'up{job="banksman"} == 0', 'up{job="banksman"} == 2', "WorkerDown"),
        ("alerts", 'outcome="expired"', 'outcome=~"expired|rejected"', "ApprovalExpired"),
        ("alerts", "max(banksman_leases", "sum(banksman_leases", "LeaseOverdue"),
        ("objectives", "ratio_30m > 6 * 0.01", "ratio_30m >= 0", "GoalsEndBadly"),
        ("objectives", "and banksman:goals_bad:increase_1h > 2", "", "GoalsEndBadly"),
        ("objectives", "failed|timed_out", "denied|failed|timed_out", "GoalsEndBadly"),
    ],
)
def test_a_rule_that_is_wrong_fails_its_case(
    promtool: tuple[str, ...], tmp_path: Path, file: str, right: str, wrong: str, alert: str
) -> None:
    for path in _PROMETHEUS.glob("*.yml"):
        text = path.read_text()
        tmp_path.joinpath(path.name).write_text(text.replace(right, wrong) if path.stem == file else text)

    done = subprocess.run(
        [*promtool, "test", "rules", f"{file}_test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert alert in done.stdout + done.stderr


@pytest.mark.parametrize("rule", _rules(), ids=_named)
def test_every_alert_has_a_runbook_a_severity_and_a_case_that_fires(rule: dict[str, object]) -> None:
    alert = str(rule["alert"])
    annotations = cast("dict[str, str]", rule["annotations"])
    runbook = _ROOT / annotations["runbook"]

    assert runbook.stem == re.sub(r"(?<!^)([A-Z])", r"-\1", alert).lower()
    text = runbook.read_text()
    assert text.startswith(f"# {alert}: ")
    assert all(f"\n## {part}\n" in text for part in ("What it means", "Look", "Do"))
    assert f"[{alert}]({runbook.name})" in (runbook.parent / "README.md").read_text()
    severity = cast("dict[str, str]", rule["labels"])["severity"]
    assert severity in {"warning", "critical"}
    assert _tested()[alert, severity]


def test_no_runbook_is_left_over() -> None:
    pages = {path.stem for path in (_ROOT / "docs/runbooks").glob("*.md")} - {"README"}

    assert pages == {Path(cast("dict[str, str]", rule["annotations"])["runbook"]).stem for rule in _rules()}


@pytest.mark.parametrize("rule", [*_rules(), *_rules("record")], ids=_named)
def test_rules_use_metrics_that_exist(rule: dict[str, object]) -> None:
    expression = str(rule["expr"])
    assert _unknown(expression) == []
    recorded = {str(one["record"]) for one in _rules("record")}
    assert set(re.findall(r"\bbanksman:\w+:\w+", expression)) <= recorded


def test_the_bounds_of_objectives_are_bounds_of_their_histograms() -> None:
    text = (_PROMETHEUS / "objectives.yml").read_text()
    used = set(re.findall(r'(banksman_\w+)_bucket\{[^}]*le="([0-9.]+)"', text))
    assert {name for name, _ in used} == {names.METRIC_APPROVAL_DECIDED, names.METRIC_STEP_SECONDS}
    ends._begin_at_nothing()
    step_metrics._SECONDS.labels(effect="read", outcome="finished")
    known = {
        (sample.name.removesuffix("_bucket"), sample.labels["le"])
        for family in REGISTRY.collect()
        for sample in family.samples
        if "le" in sample.labels
    }
    assert used <= known


@pytest.mark.parametrize("path", _DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_use_metrics_and_sources_that_exist(path: Path) -> None:
    board = cast("dict[str, object]", json.loads(path.read_text()))
    folder = _ROOT / "observability/grafana/provisioning/datasources"
    sources = {source["uid"] for source in yaml.safe_load((folder / "datasources.yml").read_text())["datasources"]}

    assert board["uid"] == f"banksman-{path.stem}"
    assert [name for expression in _expressions(path) for name in _unknown(expression)] == []
    used = {str(o["uid"]) for o in _objects(board["panels"]) if "uid" in o}
    assert used
    assert used <= sources


def test_an_unknown_metric_is_noticed() -> None:
    assert _unknown("rate(banksman_no_such_total[5m]) / rate(banksman_guard_seconds_count[5m])") == [
        "banksman_no_such_total"
    ]


@pytest.mark.parametrize("path", _DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_queries_that_prometheus_understands(
    path: Path, promtool: tuple[str, ...], tmp_path: Path
) -> None:
    asked = [expression.replace("$__rate_interval", "5m") for expression in _expressions(path)]
    rules = [{"record": f"asked:{number}", "expr": expression} for number, expression in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))

    done = subprocess.run([*promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_signals_are_linked() -> None:
    folder = _ROOT / "observability/grafana/provisioning/datasources"
    sources = {s["uid"]: s["jsonData"] for s in yaml.safe_load((folder / "datasources.yml").read_text())["datasources"]}

    assert {d["datasourceUid"] for d in sources["prometheus"]["exemplarTraceIdDestinations"]} == {"tempo"}
    assert sources["tempo"]["tracesToLogsV2"]["datasourceUid"] == "loki"
    leading = {field["name"]: field.get("datasourceUid") for field in sources["loki"]["derivedFields"]}
    assert leading == {"Trace": "tempo", "Trace of the line": "tempo", "Goal": None}
    line = json.dumps({names.LOG_TRACE_ID: "0af7651916cd43dd8448eb211c80319c"})
    [by_text] = [f["matcherRegex"] for f in sources["loki"]["derivedFields"] if f["matcherType"] == "regex"]
    assert re.search(by_text, line)
    assert names.SERVICE_NAMESPACE in sources["tempo"]["tracesToLogsV2"]["query"]
    assert sources["tempo"]["tracesToMetrics"]["datasourceUid"] == "prometheus"


def test_a_line_leads_back_to_its_goal_in_temporals_ui() -> None:
    """Each address in the link is one that Compose gives to Grafana; twice the dollar is Grafana's own."""
    folder = _ROOT / "observability/grafana/provisioning/datasources"
    [loki] = [s for s in yaml.safe_load((folder / "datasources.yml").read_text())["datasources"] if s["uid"] == "loki"]
    [goal] = [field for field in loki["jsonData"]["derivedFields"] if field["name"] == "Goal"]
    assert goal["matcherRegex"] == names.ATTR_WORKFLOW_ID.replace(".", "_")
    compose = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())["services"]
    wanted = re.findall(r"(?<!\$)\$\{(\w+)\}", goal["url"])
    assert wanted == ["BANKSMAN_TEMPORAL_UI", "BANKSMAN_TEMPORAL_NAMESPACE"]
    shared = compose["worker-gateway"]["environment"]
    assert {name: compose["grafana"]["environment"][name] for name in wanted} == {name: shared[name] for name in wanted}


def test_a_line_leads_to_the_number_of_its_step() -> None:
    folder = _ROOT / "observability/grafana/provisioning/datasources"
    [loki] = [s for s in yaml.safe_load((folder / "datasources.yml").read_text())["datasources"] if s["uid"] == "loki"]
    [correlation] = loki["correlations"]
    [found] = correlation["config"]["transformations"]
    line = json.dumps({names.ATTR_ACTIVITY_TYPE: "github.read_file"})
    action = re.search(found["expression"], line)
    assert action is not None
    assert action[1] == "github.read_file"
    assert f"$${{{found['mapValue']}}}" in correlation["config"]["target"]["expr"]
    assert (correlation["targetUID"], correlation["config"]["type"]) == ("prometheus", "query")
    assert _unknown(correlation["config"]["target"]["expr"]) == []


def test_no_label_is_an_id() -> None:
    rules = [_PROMETHEUS / name for name in _RULES]
    text = "".join(path.read_text() for path in [*rules, *_DASHBOARDS])

    assert not re.search(r"by \([^)]*(?:workflow_id|run_id|trace_id|repository)", text)


_GOOD = frozenset(
    {
        "completed",
        "denied",
        "rejected",
        "changes_requested",
        "expired",
        "withdrawn",
        "superseded",
        "refused",
        "cancelled",
    }
)
"""The ends of goals that did what they should, or that people, the policy or a provider's own tool stopped in time."""


def test_every_end_of_a_goal_is_either_good_or_bad() -> None:
    records = [str(rule["expr"]) for rule in _rules("record") if "goals_bad:increase" in str(rule["record"])]
    bad = {frozenset(re.findall(r'outcome=~"([a-z_|]+)"', one)[0].split("|")) for one in records}
    assert bad == {frozenset(ends.GOAL_ENDS) - _GOOD}
