"""Lines from a stranger become marked telemetry, or are dropped and counted; nothing makes the reader fail."""

import json

import pytest

from sandbox.telemetry import RUN_ATTRIBUTE, read_telemetry

SPAN: dict[str, object] = {
    "resource": {"attributes": [{"key": "app", "value": {"stringValue": "tests"}}]},
    "scopeSpans": [{"spans": []}],
}


def line(kind: str, *resources: object) -> bytes:
    return json.dumps({kind: resources}).encode() + b"\n"


def test_spans_logs_and_metrics_are_kept_and_marked() -> None:
    found = read_telemetry(
        line("resourceSpans", SPAN) + line("resourceLogs", {}) + line("resourceMetrics", {}, {}), "run-1"
    )
    assert {kind: len(items) for kind, items in found.resources.items()} == {
        "resourceSpans": 1, "resourceLogs": 1, "resourceMetrics": 2,
    }  # fmt: skip
    assert found.dropped == 0
    for items in found.resources.values():
        for item in items:
            assert {"key": RUN_ATTRIBUTE, "value": {"stringValue": "run-1"}} in item["resource"]["attributes"]  # pyright: ignore[reportIndexIssue]


def test_a_run_cannot_speak_as_somebody_else() -> None:
    forged = [
        {"key": "service.name", "value": {"stringValue": "banksman"}},
        {"key": RUN_ATTRIBUTE, "value": {"stringValue": "another"}},
        {"key": "temporal.workflow_id", "value": {"stringValue": "another"}},
        {"key": "mine", "value": {"stringValue": "kept"}},
    ]
    found = read_telemetry(line("resourceSpans", {"resource": {"attributes": forged}}), "run-1")
    said = json.dumps(found.resources["resourceSpans"])
    assert "another" not in said
    assert '"banksman"' not in said
    assert "kept" in said


@pytest.mark.parametrize(
    "garbage",
    [
        b"not json", b"[]", b"{}", b'"x"', b"null", b'{"resourceSpans": {}}', b'{"resourceSpans": [1]}',
        b'{"other": []}', b'{"resourceSpans": [], "resourceLogs": []}', b"\xff\xfe", b"[" * 60_000,
        b'{"resourceSpans": ["' + b"x" * 70_000 + b'"]}', b"1e999999", b'{"resourceSpans": [',
    ],
    ids=lambda value: str(value[:30]),
)  # fmt: skip
def test_what_is_not_telemetry_is_dropped_and_counted(garbage: bytes) -> None:
    found = read_telemetry(garbage + b"\n" + line("resourceSpans", SPAN), "run-1")
    assert found.dropped == 1
    assert len(found.resources["resourceSpans"]) == 1


def test_more_lines_than_the_most_are_dropped() -> None:
    found = read_telemetry(line("resourceLogs", {}) * 1200, "run-1")
    assert (len(found.resources["resourceLogs"]), found.dropped) == (1000, 200)
