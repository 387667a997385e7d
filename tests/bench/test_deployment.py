"""What the bench of a deployment compares: its time with its steps, without what the manifest asks to wait for."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.history.v1 import HistoryEvent

from bench.deployment import Figures, parts_of, report_of, told
from bench.report import Machine
from workflows.approval.contracts import APPROVAL_WORKFLOW

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def event(second: float) -> HistoryEvent:
    made = HistoryEvent()
    made.event_time.FromDatetime(_BEGAN + timedelta(seconds=second))
    return made


def history() -> list[HistoryEvent]:
    """Two steps side by side for four seconds, an approval of one, a watch of ten, and one second of nothing."""
    events = [event(at) for at in (0, 0, 0, 1, 2, 4, 4, 5, 5, 15, 16)]
    for asked, begun, ended in ((1, 3, 5), (2, 4, 6)):
        events[begun].activity_task_started_event_attributes.scheduled_event_id = asked + 1
        done = events[ended].activity_task_completed_event_attributes
        done.scheduled_event_id, done.started_event_id = asked + 1, begun + 1
    approved = events[7].child_workflow_execution_completed_event_attributes
    approved.workflow_type.name, approved.initiated_event_id = APPROVAL_WORKFLOW, 7
    events[9].timer_fired_event_attributes.started_event_id = 9
    return events


def test_steps_count_each_for_itself_and_the_watch_not_at_all() -> None:
    found = parts_of(history(), size=2048)
    assert (found.events, found.size) == (11, 2048)
    assert found.whole == timedelta(seconds=6)
    assert found.steps == timedelta(seconds=8)
    assert found.worked == timedelta(seconds=5)
    assert found.approval == timedelta(seconds=1)


@pytest.mark.parametrize(("whole", "held"), [(13, True), (13.1, False)])
def test_more_than_the_limit_is_missed_and_said(whole: float, held: bool) -> None:
    ten = timedelta(seconds=10)
    one = Figures(events=3, size=1, whole=timedelta(seconds=whole), steps=ten, worked=ten, approval=timedelta())
    report = report_of([one, one], Machine(load_before=0.1, load_after=0.2))
    assert report.held() is held
    assert told(report)[1].endswith("held" if held else "missed")
