"""`banksman rollout report` over audit files: what counts, since when, and what a broken book does to it."""

import json
from pathlib import Path

import pytest

from hitl.policy.rules import RollOut
from hitl.protocol import Phase
from tests.workers.rollout.writing import Days, policy, report
from workers.commands.exits import Exit
from workers.rollout.ends import Ends
from workers.rollout.report import Report


def test_an_empty_book_says_so_and_is_not_ready(days: Days) -> None:
    told = days.told()
    assert "Nothing was done in this time: there is no evidence for any step." in told
    assert "**ready for production: no – nothing was done in this phase; 0 of 14 days seen" in told


def test_no_book_at_all_is_one_clear_error(days: Days, tmp_path: Path) -> None:
    done = days.asked("--book-only", "--from", str(tmp_path / "nowhere"))
    assert (done.exit_code, "there are no audit files in" in done.output) == (Exit.FAILED, True)


def test_an_environment_that_the_policy_does_not_name_is_refused(days: Days) -> None:
    done = days.asked("--book-only", "--environment", "lvie")
    assert done.exit_code == Exit.USAGE
    assert "does not name the environment 'lvie'; it names live" in done.output


def test_no_time_is_refused(days: Days) -> None:
    done = days.asked("--book-only", "--since", "yesterday")
    assert (done.exit_code, "'yesterday' is no time" in done.output) == (Exit.USAGE, True)


def test_everything_is_counted_once_by_what_it_was(days: Days) -> None:
    days.step("github.read_file")
    days.step("github.read_file")
    days.step("github.open_pull_request", effect="write", context={"cost": "30"})
    days.denied("github.delete_branch", "phase", effect="destructive", role="destructive")
    days.step("neon.create_branch", "failed", effect="write", error="Unavailable")
    days.step("pulumi.update_stack", effect="destructive", role="destructive", way="unknown")
    days.step("pulumi.update_stack", effect="destructive", role="destructive", way="completed")
    for parking in ("one", "two"):
        days.step("hitl.tell_parked", effect="write", role="gateway", run_id=parking)
        days.step("hitl.tell_parked", effect="write", role="gateway", run_id=parking)
    days.event("allowed", "github.commit_files", effect="write")
    told = days.numbers()
    assert told["steps"] == [
        {"effect": "destructive", "action": "pulumi.update_stack", "count": 2},
        {"effect": "read", "action": "github.read_file", "count": 2},
        {"effect": "write", "action": "github.open_pull_request", "count": 1},
    ]
    assert told["refused"] == [{"reason": "phase", "action": "github.delete_branch", "count": 1}]
    assert told["failed"] == [{"action": "neon.create_branch", "error": "Unavailable", "count": 1}]
    assert (told["doubtful"], told["ways"]) == (1, {"unknown": 1, "completed": 1})
    assert (told["parked"], told["open_steps"], told["dollars_a_month"]) == (2, 1, 30)
    words = days.told()
    for line in (
        "- destructive: 2 steps (pulumi.update_stack 2)",
        "- cost: $30 in a month at most, by what these steps said",
        "- phase: 1 (github.delete_branch 1)",
        "- 1 destructive steps in doubt",
        "- 1 attempt failed (neon.create_branch Unavailable 1)",
    ):
        assert line in words, line


def test_a_step_that_was_killed_and_tried_again_is_not_left_open(days: Days) -> None:
    days.count += 1
    days.event("allowed", "github.commit_files", effect="write")
    days.event("allowed", "github.commit_files", effect="write", attempt=2)
    days.event("finished", "github.commit_files", effect="write", attempt=2)
    assert days.numbers()["open_steps"] == 0


def test_another_environments_events_are_none_of_this_one(days: Days) -> None:
    days.step("github.read_file", environment="staging")
    assert days.numbers()["audit_log"] == {"whole": True, "problems": [], "events": 0}


# Since when.


def test_it_begins_where_the_phase_began(days: Days) -> None:
    days.on("2026-11-01T09:00")
    days.step("github.read_file", phase="read_only")
    days.on("2026-11-02T09:00")
    days.denied("github.commit_files", "phase", phase="read_only", effect="write")
    days.on("2026-11-03T09:00")
    days.step("github.commit_files", effect="write")
    told = days.numbers()
    assert told["since"] == "2026-11-02T09:00:00.000001+00:00"
    assert told["refused"] == []
    assert [one["action"] for one in told["steps"]] == ["github.commit_files"]


def test_a_phase_that_was_lowered_and_raised_again_begins_anew(days: Days) -> None:
    for day, phase in (("01", "non_critical_writes"), ("02", "read_only"), ("03", "non_critical_writes")):
        days.on(f"2026-11-{day}T09:00")
        days.step("github.read_file", phase=phase)
    assert days.numbers()["since"] == "2026-11-02T09:00:00.000001+00:00"


def test_a_service_that_lowers_its_own_phase_does_not_begin_the_environments_anew(days: Days) -> None:
    days.on("2026-11-01T09:00")
    days.step("github.read_file")
    days.on("2026-11-02T09:00")
    days.denied("pulumi.update_stack", "phase", effect="destructive", role="destructive", phase="read_only")
    assert days.numbers()["since"] is None


def test_a_time_that_is_asked_for_goes_before_the_phase(days: Days) -> None:
    days.on("2026-11-01T09:00")
    days.step("github.read_file", phase="read_only")
    days.on("2026-11-02T09:00")
    days.step("github.read_file")
    assert days.numbers("--since", "2026-10-31")["audit_log"]["events"] == 4
    assert days.numbers("--since", "2026-11-02")["audit_log"]["events"] == 2


# The book.


def test_a_changed_line_is_said_first_and_makes_it_not_ready(days: Days) -> None:
    days.step("github.read_file")
    days.denied("github.delete_branch", "phase")
    path = days.folder / "connectors.jsonl"
    path.write_text(path.read_text().replace('"denied"', '"finished"').replace('"phase"', '"fase"', 1))
    done = days.asked("--book-only")
    assert done.exit_code == Exit.FAILED
    assert done.output.splitlines()[2].startswith("**The audit log is not whole, so nothing below is proof.**")
    assert "no – the audit log is not whole;" in done.output


@pytest.mark.parametrize("line", [0, 1])
def test_a_line_that_was_taken_out_is_found(days: Days, line: int) -> None:
    days.step("github.read_file")
    days.step("github.read_file")
    path = days.folder / "connectors.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(one for number, one in enumerate(lines) if number != line))
    told = json.loads(days.asked("--book-only", "--json").output)
    assert (told["ready"], told["audit_log"]["whole"]) == (False, False)


# The thresholds.


def test_with_everything_seen_it_is_ready() -> None:
    made = report(wrong=1)
    assert made.ready
    assert made.recommendation.startswith("ready for production: yes – 15 of 14 days seen; 20 of 20 goals ended")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (report(days=13), "13 of 14 days seen"),
        (report(ended=19), "19 of 20 goals ended"),
        (report(wrong=3), "3 of 20 goals ended wrong, at most 5 % may"),
        (report(doubtful=1), "1 destructive step in doubt, at most 0 may be"),
        (report(wanted=RollOut()), "people judged 0 of 5 goals"),
        (report(ends=None), "nobody asked Temporal how goals ended"),
        (report(broken=("connectors, line 3",)), "the audit log is not whole"),
        (report(ends=Ends(goals=report().ends.goals, parked_now=2)), "2 goals parked now"),  # pyright: ignore[reportOptionalMemberAccess]
    ],
)
def test_each_threshold_alone_makes_it_not_ready(made: Report, why: str) -> None:
    assert not made.ready
    assert made.recommendation == f"ready for production: no – {why}"


def test_the_last_phase_has_none_after_it() -> None:
    assert report(phase=Phase.PRODUCTION).recommendation.startswith("fit to stay in production: yes – ")


def test_the_policys_thresholds_count(days: Days) -> None:
    days.step("github.read_file")
    days.policy.write_text(policy(more="    roll_out: {days: 0, goals: 3, opinions: 0}\n"))
    checks = {one["words"]: one["holds"] for one in days.numbers()["checks"]}
    assert checks["people judged 0 of 0 goals"]
    assert any(words.endswith("of 0 days seen") and holds for words, holds in checks.items())


def test_a_threshold_that_is_none_is_refused_with_the_way_out(days: Days) -> None:
    days.policy.write_text(policy(more="    roll_out: {wrong_percents: 5}\n"))
    done = days.asked("--book-only")
    assert done.exit_code == Exit.USAGE
    assert "unknown key 'wrong_percents'; did you mean 'wrong_percent'?" in " ".join(done.output.split())
