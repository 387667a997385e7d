"""Traces, metrics and logs of one real process, received by the embedded environment's own trace store."""

import json
import re
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from deploy.local.traces.app import create_app
from deploy.local.traces.store import TraceStore
from observability.metrics import CoreCollector, MetricsServer, Registered, free_port, parse_address
from observability.setup import TelemetrySettings
from observability.traces.spans import text_of
from tests.connectors.serving import served

_HERE = Path(__file__).parent
_WORKFLOW_ID = "fetch/acme/shop"


@dataclass
class Seen:
    lines: list[dict[str, object]]
    metrics: str
    spans: list[Span]
    services: set[str]
    everything: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("telemetry")
    temporal = Path(sys.executable).parent / "temporal"
    with served(create_app(folder / "traces.db")) as url:
        done = subprocess.run(
            [sys.executable, _HERE / "telemetry_process.py", url, temporal, folder / "metrics.txt"],
            capture_output=True,
            text=True,
            timeout=55,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    metrics = (folder / "metrics.txt").read_text()
    store = TraceStore(folder / "traces.db")
    found = store.search({"temporal.workflow_id": _WORKFLOW_ID})
    assert len(found) == 1
    data = store.trace(found[0].trace_id)
    store.close()
    assert data is not None
    return Seen(
        lines=lines,
        metrics=metrics,
        spans=[span for batch in data.resource_spans for scoped in batch.scope_spans for span in scoped.spans],
        services={
            text_of(a.value) for b in data.resource_spans for a in b.resource.attributes if a.key == "service.name"
        },
        everything=done.stdout + done.stderr + metrics + str(data),
    )


def _named(seen: Seen, name: str) -> list[Span]:
    return [span for span in seen.spans if span.name == name]


def _attributes(span: Span) -> dict[str, str]:
    return {item.key: text_of(item.value) for item in span.attributes}


def test_one_trace_leads_from_the_start_to_the_web_service(seen: Seen) -> None:
    by_id = {span.span_id: span for span in seen.spans}
    [served] = [span for span in seen.spans if span.kind == Span.SPAN_KIND_SERVER and span.name == "GET /"]

    names, span = [], served
    while span.parent_span_id:
        span = by_id[span.parent_span_id]
        names.append(span.name)

    assert names[:2] == ["GET", "RunActivity:twin.fetch"]
    assert names[-2:] == ["RunWorkflow:Fetch", "StartWorkflow:Fetch"]
    assert len({span.trace_id for span in seen.spans}) == 1
    assert seen.services == {"process-under-test"}


def test_every_attempt_is_a_span_and_the_failed_one_says_so(seen: Seen) -> None:
    attempts = _named(seen, "RunActivity:twin.fetch")

    assert [span.status.code == Status.STATUS_CODE_ERROR for span in attempts] == [True, False]
    assert "refused [redacted vault-token]" in attempts[0].status.message
    assert [_attributes(span)["temporal.activity_attempt"] for span in attempts] == ["1", "2"]


def test_spans_know_their_workflow(seen: Seen) -> None:
    for span in seen.spans:
        if span.kind == Span.SPAN_KIND_SERVER and span.name == "GET /":
            continue  # another process's, in a real stack
        assert _attributes(span)["temporal.workflow_id"] == _WORKFLOW_ID, span.name


def test_nothing_of_single_messages_is_sent(seen: Seen) -> None:
    assert not [span.name for span in seen.spans if span.name.endswith((" http send", " http receive"))]


def test_no_canary_leaves_the_process(seen: Seen) -> None:
    # Tracebacks quote the line that raised, which names the constant; its value is what must not be there.
    assert "CANARYCANARY" not in seen.everything
    assert "CANARY-attribute" not in seen.everything
    asked = [event for span in _named(seen, "RunActivity:twin.fetch") for event in span.events if event.name == "asked"]
    assert len(asked) == 2
    assert [text_of(item.value) for item in asked[0].attributes] == ["Bearer [redacted credential]"]


def test_log_lines_carry_the_trace_and_the_workflow(seen: Seen) -> None:
    trace_id = seen.spans[0].trace_id.hex()
    [goal] = [line for line in seen.lines if line["event"] == "a goal runs"]
    [first, second] = [line for line in seen.lines if str(line["event"]).startswith("fetching with")]

    assert goal["trace_id"] == first["trace_id"] == second["trace_id"] == trace_id
    assert goal["temporal.workflow_id"] == first["temporal.workflow_id"] == _WORKFLOW_ID
    assert goal["temporal.run_id"] == first["temporal.run_id"]
    assert (first["temporal.activity_type"], first["temporal.activity_attempt"]) == ("twin.fetch", 1)
    assert second["temporal.activity_attempt"] == 2
    assert first["event"] == "fetching with [redacted vault-token]"
    spans = {span.span_id.hex(): span.name for span in seen.spans}
    assert spans[str(first["span_id"])] == "RunActivity:twin.fetch"


def test_one_page_of_metrics_holds_ours_the_processes_and_temporals(seen: Seen) -> None:
    samples = {
        (sample.name, sample.labels.get("activity_type"), sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(seen.metrics)
        for sample in family.samples
    }

    assert samples["banksman_temporal_core_up", None, None] == 1
    assert samples["banksman_process_info", None, None] == 1
    assert samples["process_resident_memory_bytes", None, None] > 0
    assert samples["temporal_activity_execution_failed_total", "twin.fetch", None] == 1
    assert samples["temporal_activity_execution_latency_seconds_count", "twin.fetch", None] == 2
    assert samples["temporal_activity_execution_latency_seconds_bucket", "twin.fetch", "+Inf"] == 2
    assert samples["temporal_workflow_completed_total", None, None] == 1
    assert re.search(r"^# TYPE temporal_activity_execution_latency_seconds histogram$", seen.metrics, re.MULTILINE)
    assert re.search(r"^# TYPE temporal_workflow_completed_total counter$", seen.metrics, re.MULTILINE)


def test_a_core_that_does_not_answer_costs_only_its_own_metrics() -> None:
    registry = CollectorRegistry()
    server = MetricsServer("127.0.0.1:0", service="s", release="1", registry=registry)
    server.add(CoreCollector(free_port(), Registered()))
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
            text = cast("bytes", answer.read()).decode()
    finally:
        server.close()

    assert "banksman_temporal_core_up 0.0" in text
    assert 'banksman_process_info{service="s",version="1"} 1.0' in text


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=re.escape(repr(address))):
            MetricsServer(address, service="s", release="1", registry=CollectorRegistry())


@pytest.mark.parametrize("address", ["9464", "host:", "host:x", "host:70000", "host:-1", "host:٣"])
def test_a_wrong_address_says_how_to_write_it(address: str) -> None:
    with pytest.raises(ValidationError, match=r"127\.0\.0\.1:9464"):
        TelemetrySettings(metrics_address=address)


def test_a_wrong_endpoint_says_how_to_write_it() -> None:
    with pytest.raises(ValidationError, match=r"http://127\.0\.0\.1:4318"):
        TelemetrySettings(otlp_endpoint="collector:4318")


def test_empty_settings_are_off() -> None:
    settings = TelemetrySettings(otlp_endpoint="", metrics_address="")

    assert settings.otlp_endpoint is None
    assert settings.metrics_address is None
    assert parse_address(":0") == ("127.0.0.1", 0)
    assert parse_address("[::1]:9464") == ("::1", 9464)
