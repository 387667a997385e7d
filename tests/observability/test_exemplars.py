"""A number leads to the trace in which it was counted; without a trace there is nothing to lead to."""

import re
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from observability.exemplars import exemplar

_ROOT = Path(__file__).parents[2]
_COUNTED = re.compile(r"(?:\.inc|\.observe)\((?P<given>(?:[^()]|\([^()]*\))*)\)")
_WITHOUT = {
    "connectors/vault/session.py": "a process keeps its own token alive beside all steps",
    "hitl/gateway/counts/ends.py": "what is counted on Temporal's server, is counted in no trace",
    "hitl/github/receiving.py": "GitHub tells before anything of ours has begun",
    "observability/lost.py": "what is lost is of many traces",
    "sandbox/docker/reaper.py": "what dead workers left is of no run",
    "sandbox/egress/mirror.py": "one mirror tells of the downloads of many runs",
    "sandbox/egress/proxy.py": "one proxy tells of the connections of many runs",
}
"""Where something is counted outside of any trace, each with its reason."""


def exposed(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def test_what_is_counted_in_a_trace_names_it() -> None:
    registry = CollectorRegistry()
    counted = Counter("clicks", "Clicks.", registry=registry)
    took = Histogram("took_seconds", "Time.", registry=registry)
    with TracerProvider().get_tracer("t").start_as_current_span("a step") as span:
        counted.inc(exemplar=exemplar())
        took.observe(0.1, exemplar())
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert exposed(registry).count(f'# {{trace_id="{trace_id}"}}') == 2


def test_outside_of_a_trace_and_in_one_that_nobody_keeps_there_is_none() -> None:
    assert exemplar() is None
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("t").start_as_current_span("a step"):
        assert exemplar() is None
    registry = CollectorRegistry()
    Counter("clicks", "Clicks.", registry=registry).inc(exemplar=exemplar())
    assert "trace_id" not in exposed(registry)


def _counting(without: bool) -> set[str]:
    """The files that count something, with or without the trace."""
    found: set[str] = set()
    for folder in ("activities", "connectors", "hitl", "observability", "sandbox", "workers", "workflows"):
        for path in (_ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "prometheus_client" in text or "metrics import" in text:
                given = [one["given"] for one in _COUNTED.finditer(text)]
                if any(("exemplar" not in one) == without for one in given):
                    found.add(str(path.relative_to(_ROOT)))
    return found


def test_whatever_is_counted_in_a_trace_names_it_everywhere() -> None:
    assert _counting(without=True) == _WITHOUT.keys()
    assert _counting(without=False) >= {"activities/guard/step_metrics.py", "connectors/http/api.py"}
    texts = {path: path.read_text(encoding="utf-8") for path in (_ROOT / "connectors").rglob("*.py")}
    timed = [path for path, text in texts.items() if re.search(r"SECONDS\b.*\.time\(\)", text)]
    assert timed == [], "`time()` takes no exemplar"
