"""What people decide is in the goal's trace, from every surface, and leads to the trace of the click."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client

from hitl.approval.decision import Surface, Verdict
from observability.names import (
    ATTR_OUTCOME,
    ATTR_SURFACE,
    ATTR_VERDICT,
    SPAN_DECISION,
    SPAN_WAIT_FOR_PEOPLE,
)
from tests.workflows.approval.approving import POLICY, House

BOB_AT_THE_CONSOLE = "console:bob@acme.test"
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Spans of this process, without a provider for all of it."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def of(kept: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [one for one in kept.get_finished_spans() if one.name == name]


def told(span: ReadableSpan, *names: str) -> tuple[object, ...]:
    return tuple((span.attributes or {}).get(name) for name in names)


async def test_each_counted_decision_is_a_span_below_the_wait(house: House, kept: InMemorySpanExporter) -> None:
    house.path.write_text(POLICY.replace("bob: [slack:U0BOB]", f"bob: [slack:U0BOB, {BOB_AT_THE_CONSOLE}]"))
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice")
        await house.refused(house.decide(approval, "alice"))
        no = {"surface": Surface.CONSOLE, "verdict": Verdict.REJECT, "identity": BOB_AT_THE_CONSOLE}
        await house.decide(approval, "bob", **no)
        await goal.result()
    [wait] = of(kept, SPAN_WAIT_FOR_PEOPLE)
    decided = of(kept, SPAN_DECISION)
    assert [told(one, ATTR_SURFACE, ATTR_VERDICT) for one in decided] == [
        ("slack", "approve"),
        ("console", "reject"),
    ], "one that was refused is none"
    assert told(wait, ATTR_OUTCOME) == ("rejected",)
    assert wait.context is not None
    for one in decided:
        assert one.parent is not None
        assert one.parent.span_id == wait.context.span_id
        assert "alice" not in str(one.attributes)


@pytest.mark.parametrize("off", [timedelta(days=-2), timedelta(seconds=20)])
async def test_a_clock_that_jumped_makes_no_span_that_ends_before_it_begins(
    house: House, kept: InMemorySpanExporter, off: timedelta
) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        at = datetime.now(UTC) + off
        await house.decide(approval, "alice", verdict=Verdict.REJECT, decided_at=at)
        await goal.result()
    [wait], [one] = of(kept, SPAN_WAIT_FOR_PEOPLE), of(kept, SPAN_DECISION)
    assert (wait.start_time or 0) <= (one.start_time or 0) <= (one.end_time or 0) <= (wait.end_time or 0)
