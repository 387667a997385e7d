"""A collector that is away, slow or full: nothing waits for it, and what it did not take is counted."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import REGISTRY

from observability.lost import Room
from observability.metrics import free_port
from observability.names import METRIC_TELEMETRY_LOST
from observability.tracing import BoundedSpans, RedactingExporter

_HERE = Path(__file__).parent
_MOST = 64


@dataclass
class Collector:
    """One that answers as it is told, once it is let go.

    Attributes:
        asked: Set when a request has come.
        free: Requests wait until it is set.
        spans: How many it has taken.
    """

    url: str = ""
    status: int = 200
    asked: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)
    spans: int = 0


@contextmanager
def collecting(status: int = 200, *, free: bool = True) -> Generator[Collector]:
    collector = Collector(status=status)
    if free:
        collector.free.set()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.asked.set()
            collector.free.wait(60)
            if collector.status == 200:
                sent = ExportTraceServiceRequest.FromString(body)
                collector.spans += sum(
                    len(scoped.spans) for batch in sent.resource_spans for scoped in batch.scope_spans
                )
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        yield collector
        collector.free.set()
        server.shutdown()


def lost(why: str) -> float:
    return REGISTRY.get_sample_value(METRIC_TELEMETRY_LOST, {"signal": "spans", "why": why}) or 0.0


@dataclass
class Lost:
    full: float
    not_taken: float

    @classmethod
    def now(cls) -> "Lost":
        return cls(lost("full"), lost("not_taken"))

    def since(self) -> tuple[float, float]:
        """How many more, for want of room and because they were not taken."""
        now = self.now()
        return now.full - self.full, now.not_taken - self.not_taken


@contextmanager
def tracing(url: str) -> Generator[tuple[TracerProvider, BoundedSpans]]:
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", timeout=0.5)
    provider, processor = TracerProvider(), BoundedSpans(RedactingExporter(exporter), Room("spans", most=_MOST))
    provider.add_span_processor(processor)
    yield provider, processor
    provider.shutdown()


def end_spans(provider: TracerProvider, count: int) -> None:
    for number in range(count):
        provider.get_tracer("t").start_span(f"span {number}").end()


def test_what_a_collector_takes_is_not_lost() -> None:
    before = Lost.now()
    with collecting() as collector, tracing(collector.url) as (provider, processor):
        end_spans(provider, _MOST // 2)
        assert processor.force_flush()
        assert collector.spans == _MOST // 2
    assert before.since() == (0, 0)


def test_what_one_that_is_away_does_not_take_is_counted() -> None:
    before = Lost.now()
    with tracing(f"http://127.0.0.1:{free_port()}") as (provider, processor):
        end_spans(provider, 10)
        processor.force_flush()
        assert before.since() == (0, 10)


@pytest.mark.parametrize("status", [400, 413, 429, 503])
def test_so_is_what_one_that_is_full_refuses(status: int) -> None:
    before = Lost.now()
    with collecting(status) as collector, tracing(collector.url) as (provider, processor):
        end_spans(provider, 10)
        processor.force_flush()
        assert collector.asked.is_set()
        assert before.since() == (0, 10)


def test_spans_end_while_a_slow_one_holds_the_line_and_each_is_taken_or_counted() -> None:
    before = Lost.now()
    with collecting(free=False) as collector, tracing(collector.url) as (provider, processor):
        end_spans(provider, _MOST)
        assert collector.asked.wait(30)
        end_spans(provider, 10 * _MOST)
        assert collector.spans == 0, "all of them have ended, and none was taken yet"
        full, _ = before.since()
        assert full >= 9 * _MOST
        collector.free.set()
        processor.force_flush()
    ended, told = 11 * _MOST, sum(before.since())
    # What the collector took after it had been given up on is both.
    assert told <= ended <= told + collector.spans


def test_a_span_that_is_not_kept_takes_no_room() -> None:
    room = Room("spans", most=1)
    provider = TracerProvider(sampler=ALWAYS_OFF)
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", timeout=0.2)
    provider.add_span_processor(BoundedSpans(exporter, room))
    before = Lost.now()
    end_spans(provider, 10)
    assert room.waiting == 0
    provider.shutdown()
    assert before.since() == (0, 0)


@pytest.mark.parametrize("kind", ["away", "slow", "full"])
def test_a_goal_ends_whatever_its_collector_does(tmp_path: Path, kind: str) -> None:
    temporal = Path(sys.executable).parent / "temporal"
    with collecting(503 if kind == "full" else 200, free=kind != "slow") as collector:
        url = f"http://127.0.0.1:{free_port()}" if kind == "away" else collector.url
        words = [sys.executable, str(_HERE / "telemetry_process.py"), url, str(temporal), str(tmp_path / "m.txt")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert collector.spans == 0
    assert "temporal_workflow_completed_total{" in (tmp_path / "m.txt").read_text()
    [told] = [line for line in done.stdout.splitlines() if "spans are lost" in line]
    assert json.loads(told)["count"] > 5
