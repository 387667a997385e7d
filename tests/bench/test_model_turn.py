"""What the bench of a model's turn compares: the one activity of each history, and nothing around it."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.history.v1 import HistoryEvent

from bench.model_turn import LIMIT, Report, seconds_of, told
from bench.ratios import Ratio, pairwise, spread
from bench.report import Machine

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def event(second: float) -> HistoryEvent:
    made = HistoryEvent()
    made.event_time.FromDatetime(_BEGAN + timedelta(seconds=second))
    return made


def test_what_is_around_the_activity_does_not_count() -> None:
    events = [event(at) for at in (0, 3, 3.5, 4, 9)]
    events[3].activity_task_completed_event_attributes.scheduled_event_id = 2
    assert seconds_of(events) == 1


def test_a_history_without_an_answer_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="no activity"):
        seconds_of([event(0), event(1)])


@pytest.mark.parametrize(("ours", "held"), [(1.3, True), (1.31, False)])
def test_more_than_the_limit_is_missed_and_said(ours: float, held: bool) -> None:
    one = Ratio(
        what="a turn", against="a bare activity", unit="s", pairs=1,
        ours=spread([ours]), other=spread([1.0]), ratio=spread(pairwise([ours], [1.0])), hold=LIMIT,
    )  # fmt: skip
    report = Report(machine=Machine(load_before=0.1, load_after=0.2), ratios=[one])
    assert report.held() is held
    assert told(report)[0].endswith("held" if held else "missed")
