"""The event log of the real CLI, whole and in pieces; and what a hostile or newer one may hold."""

import base64
import json

import pytest
from pydantic import SecretStr

from connectors.pulumi.event_reader import EventLimits, EventReader, read_events
from connectors.pulumi.events import Diagnostic, ResourceEvent, Stage
from connectors.pulumi.progress import progress_line
from tests.connectors.pulumi.machine import PROGRAM, Ran, Stack

pytestmark = pytest.mark.timeout(1800)

LEASED = 'leased/canary "with" <marks> & ünïcode'
LEAK = f"""
import base64, sys, urllib.parse
leased = {LEASED!r}
print("prints", leased, base64.b64encode(leased.encode()).decode(), urllib.parse.quote(leased, safe=""))
print("to stderr", leased, file=sys.stderr)
pulumi.log.warn("warns " + leased)
file("leak", leased)
pulumi.export("leak", leased)
"""


@pytest.fixture(scope="session")
def changed(deployed: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Ran]:
    """A preview and an up that change one file and make one."""
    stack = deployed.copy(tmp_path_factory.mktemp("changed") / "stack")
    stack.configure("first", "2")
    stack.write(PROGRAM + 'file("third", "3", depends_on=[first])\n')
    return stack.preview().must(), stack.up().must()


def test_a_log_is_read_as_what_happened_in_order(changed: tuple[Ran, Ran]) -> None:
    preview, up = (read_events(one.events) for one in changed)
    for log, planning in ((preview, True), (up, False)):
        assert log.ended
        assert log.dropped == 0
        assert log.unknown == {}
        assert {one.planning for one in log.resources} == {planning}
        assert log.summary is not None
        assert log.summary.preview is planning
        assert log.summary.changes == {"create": 1, "same": 3, "update": 1}
        assert [one.sequence for one in log.events] == sorted(one.sequence for one in log.events)
    told = [
        (one.metadata.op, one.metadata.urn.rpartition("::")[2], one.stage)
        for one in up.resources
        if one.metadata.op in {"create", "update"}
    ]
    assert told == [
        ("update", "first", Stage.BEGAN),
        ("update", "first", Stage.DONE),
        ("create", "third", Stage.BEGAN),
        ("create", "third", Stage.DONE),
    ]


def test_read_byte_by_byte_it_is_the_same(changed: tuple[Ran, Ran]) -> None:
    log = changed[1].events
    reader = EventReader()
    seen = [event for at in range(0, len(log), 7) for event in reader.feed(log[at : at + 7])]
    assert reader.close() == read_events(log)
    assert tuple(seen) == read_events(log).events


def test_progress_is_told_resource_by_resource(changed: tuple[Ran, Ran]) -> None:
    preview, up = ([progress_line(event) for event in read_events(one.events).events] for one in changed)
    assert [line for line in preview if line] == [
        "plan: update banksman:files:File first",
        "plan: create banksman:files:File third",
        "planned: 1 create, 3 same, 1 update",
    ]
    assert [line for line in up if line] == [
        "update banksman:files:File first …",
        "update banksman:files:File first done",
        "create banksman:files:File third …",
        "create banksman:files:File third done",
        "ended: 1 create, 3 same, 1 update",
    ]


def test_what_pulumi_knows_as_secret_comes_masked_from_it(changed: tuple[Ran, Ran]) -> None:
    assert b"hunter2-canary" not in changed[0].events + changed[1].events


def test_a_leased_value_that_the_program_prints_is_taken_out_in_every_spelling(stack: Stack) -> None:
    stack.write(PROGRAM + LEAK)
    ran = stack.preview().must()
    spelled = [LEASED, json.dumps(LEASED)[1:-1], base64.b64encode(LEASED.encode()).decode().rstrip("=")]
    assert "leased/canary" in read_events(ran.events).model_dump_json()
    clean = read_events(ran.events, secrets=[SecretStr(LEASED)])
    text = clean.model_dump_json()
    for form in (*spelled, "leased/canary", "leased%2Fcanary"):
        assert form not in text
    messages = [one.message for one in clean.events if isinstance(one, Diagnostic)]
    assert "prints [secret] [secret] [secret]" in "\n".join(messages)
    assert "warns [secret]" in "\n".join(messages)


def test_a_secret_that_was_rotated_since_the_plan_is_not_in_the_violation_that_names_it(stack: Stack) -> None:
    stack.configure("password", "planned-canary", secret=True)
    stack.preview().must()
    stack.configure("password", "rotated-canary", secret=True)
    ran = stack.up()
    assert ran.code != 0
    assert b"planned-canary" in ran.events  # nobody masks it there
    log = read_events(ran.events, secrets=[SecretStr("rotated-canary")])
    assert "canary" not in log.model_dump_json()
    assert "::locked violates plan: properties changed: ~~content[values are not shown]" in log.errors[0].message


def line(kind: str, body: object, sequence: int = 0) -> bytes:
    return json.dumps({"sequence": sequence, "timestamp": 1_795_267_228, kind: body}).encode() + b"\n"


def test_a_kind_that_is_not_known_is_counted_and_is_no_error() -> None:
    log = read_events(line("quantumEvent", {"a": 1}) * 3 + line("cancelEvent", {}))
    assert log.unknown == {"quantumEvent": 3}
    assert log.dropped == 0
    assert log.ended


@pytest.mark.parametrize(
    "torn",
    [
        b"not json\n",
        b"[]\n",
        b"{}\n",
        b'{"sequence": 1, "timestamp": 1, "resourcePreEvent": 3}\n',
        b'{"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": {"op": 3}}}\n',
        b'{"sequence": 1, "timestamp": 1e99, "cancelEvent": {}}\n',
        b'{"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": {"op": "create"',
        b"[" * 100_000 + b"\n",
        b'{"sequence": 1, "x": "\\ud800"}\n',
    ],
)
def test_a_line_that_makes_no_sense_is_dropped_and_the_log_is_no_evidence_any_more(torn: bytes) -> None:
    log = read_events(torn)
    assert log.events == ()
    assert log.dropped == 1
    assert log.resources_dropped


def test_a_program_that_prints_without_end_pushes_no_resource_out(changed: tuple[Ran, Ran]) -> None:
    chatter = b"".join(line("diagnosticEvent", {"severity": "info", "message": "x" * 50}) for _ in range(200))
    limits = EventLimits(diagnostics=10, message=20)
    log = read_events(chatter + changed[1].events, limits=limits)
    messages = [one for one in log.events if isinstance(one, Diagnostic)]
    assert len(messages) == 10
    assert {len(one.message) for one in messages} == {20}
    assert log.resources == read_events(changed[1].events).resources
    assert not log.resources_dropped


def test_lines_and_logs_have_an_end(changed: tuple[Ran, Ran]) -> None:
    long = EventReader(limits=EventLimits(line=1000))
    for _ in range(100):
        long.feed(b"x" * 1000)
        assert len(long._rest) <= 1000
    long.feed(b"\n" + line("cancelEvent", {}))
    assert long.close().ended
    many = read_events(changed[1].events, limits=EventLimits(total=2000))
    assert many.resources_dropped
    few = read_events(changed[1].events, limits=EventLimits(events=3))
    assert len(few.events) == 3
    assert few.resources_dropped


def test_debug_messages_which_hold_whole_properties_are_not_kept(changed: tuple[Ran, Ran]) -> None:
    assert b'"severity":"debug"' in changed[1].events
    kinds = {type(one) for one in read_events(changed[1].events).events}
    assert ResourceEvent in kinds
    assert all(one.severity != "debug" for one in read_events(changed[1].events).events if isinstance(one, Diagnostic))
