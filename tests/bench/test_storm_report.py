"""What the bench of very many approvals tells: against what Slack's limit needs, by its own rate, and what failed."""

from pathlib import Path

import pytest

from bench.report import Machine
from bench.storm import Asked
from bench.storm_report import POST, Answers, Clicked, Processor, Storm, show_storm
from connectors.slack.twin.limits import Limits


def report(**changed: object) -> Storm:
    told = Storm(
        machine=Machine(load_before=0.1, load_after=1.0),
        approvals=100,
        per_second=2.0,
        asked_after=5.0,
        asked_within=20.0,
        shown_within=63.0,
        not_once=0,
        gateway=Processor.of(idle=0.01, used=3.6, seconds=60.0, posts=100),
        others={"temporal": 0.4},
        methods={POST: Answers(asked=125, refused=5), "chat.update": Answers(asked=35, refused=3)},
        clicks=[Clicked(counted=0.1, asked=0.2)] * 18 + [Clicked(counted=0.3, asked=0.6)] * 2,
        not_counted=0,
    )
    return told.model_copy(update=changed)


def test_the_time_is_compared_with_what_the_limit_needs_for_all_that_was_posted() -> None:
    told = report()
    assert (told.lines, told.needed) == (20, 60.0)
    assert told.ratio == pytest.approx(1.05)
    assert told.refused == pytest.approx(8 / 160)


def test_the_share_of_a_processor_is_told_at_slacks_own_rate() -> None:
    used = report().gateway
    assert (used.posting, used.per_post) == pytest.approx((0.06, 0.03))
    assert used.share_at(1.0) == pytest.approx(0.04)


def test_clicks_are_told_by_their_percentiles() -> None:
    told = report()
    assert told.counted == pytest.approx((0.1, 0.3))
    assert told.asked == pytest.approx((0.2, 0.6))


@pytest.mark.parametrize(
    "changed",
    [
        {"shown_within": 66.1},
        {"not_once": 1},
        {"not_counted": 1},
        {"gateway": Processor(idle=0.01, posting=0.1, per_post=0.091)},
        {"clicks": [Clicked(counted=0.1, asked=0.2)] * 9 + [Clicked(counted=4.0, asked=5.0)]},
    ],
    ids=["late", "twice", "not counted", "busy", "slow click"],
)
def test_one_that_is_missed_is_not_held(changed: dict[str, object]) -> None:
    assert report().held()
    assert not report(**changed).held()


def test_it_is_kept_whole_and_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = report(not_once=2, not_counted=1)
    assert Storm.model_validate_json(told.model_dump_json()) == told
    show_storm(told, tmp_path / "kept.json")
    said = capsys.readouterr().out
    for part in (
        "100 approvals at once, Slack takes 2 messages a second; 2 have more than one",
        "63.0 s against 60.0 s",
        "20 lines in threads: 1.05 (hold ≤ 1.1) held; all were asked for within 20.0 s, the first after 5.0 s",
        "chat.postMessage 125 (5 refused), chat.update 35 (3 refused); refused for the rate 5.0%",
        "4.0% at Slack's own 1 a second (hold ≤ 0.1) held",
        "temporal 40% of one",
        "p50 100 ms, p95 300 ms (hold: p95 ≤ 1 s) held",
        "20 clicks in between counted, 1 did not",
        "kept.json",
    ):
        assert part in said


def test_all_limits_of_the_twin_are_faster_by_one_factor_and_go_through_its_file() -> None:
    asked = Asked(approvals=10, per_second=3.0, clicks=1)
    limits = asked.limits()
    assert limits.posts_per_second == 3.0
    assert limits.tiers == {tier: 3 * calls for tier, calls in Limits().tiers.items()}
    assert asked.settings() == {"SLACK_POSTS_PER_SECOND": "3.0", "SLACK_CALLS_PER_MINUTE": "150.0"}
    assert Limits.model_validate_json(limits.model_dump_json()) == limits
