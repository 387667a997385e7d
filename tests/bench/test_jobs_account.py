"""What the bench of jobs counts: what is lost and what is there twice is noticed, wherever it went wrong."""

from pathlib import Path

import pytest

from bench.jobs_account import Account, Answers, Flood, Rolling, Traced
from bench.jobs_asked import Asked, Kind, effects
from bench.jobs_report import Jobs, show_jobs
from bench.jobs_wire import MISHAPS, Mishap
from bench.report import Machine
from connectors.github.comments import mark_of
from connectors.github.twin.pulls import Check, Comment, Pull
from connectors.github.twin.writes import Kept, KeptIssue

JOB = "github-job/72d3162e-cc78-11e3-81ab-4c9367dc0958"
AT = "2026-11-28T12:00:00Z"
WELL = Traced(asked="ReadFile", jobs=1, outcome="completed", effects={"result comment": 1, "label": 1}, seconds=4.0)


def changed(**what: object) -> Traced:
    """A job that went well but for this."""
    return WELL.model_copy(update=what)


def account(*odd: Traced, well: int = 99) -> Account:
    return Account(jobs=(*[WELL] * well, *odd))


def test_jobs_that_are_done_once_are_held() -> None:
    told = account(WELL)
    assert (told.started, told.completed, told.lost, told.doubled, told.mean) == (100, 1.0, (), (), 4.0)
    assert told.held()


@pytest.mark.parametrize(
    "lost",
    [
        Traced(asked="ReadFile", jobs=0),
        changed(outcome="", seconds=None),
        changed(effects={"result comment": 0, "label": 1}),
    ],
    ids=["nobody began it", "it has no end", "its comment is nowhere"],
)
def test_one_that_is_lost_among_a_hundred_is_noticed(lost: Traced) -> None:
    told = account(lost)
    assert (told.lost, told.doubled, told.held()) == ((lost,), (), False)


@pytest.mark.parametrize(
    "doubled",
    [changed(jobs=2), changed(effects={"result comment": 2, "label": 1})],
    ids=["begun twice", "said twice"],
)
def test_one_that_is_there_twice_among_a_hundred_is_noticed(doubled: Traced) -> None:
    told = account(doubled)
    assert (told.lost, told.doubled, told.held()) == ((), (doubled,), False)


def test_what_failed_and_said_so_is_not_lost_but_not_completed() -> None:
    failed = changed(outcome="failed", effects={"result comment": 1, "label": 0})
    assert not account(failed).lost
    assert account(*[failed] * 5, well=95).held()
    assert not account(*[failed] * 6, well=94).held()


def test_those_that_nobody_began_do_not_make_the_share_smaller_but_are_lost() -> None:
    told = account(*[Traced(asked="ReadFile", jobs=0)] * 10)
    assert (told.started, told.completed, len(told.lost)) == (99, 1.0, 10)


def test_jobs_that_take_longer_than_five_minutes_are_not_held() -> None:
    assert account(changed(seconds=29_000.0)).mean > 290
    assert account(changed(seconds=29_000.0)).held()
    assert not account(changed(seconds=31_000.0)).held()


def test_without_any_end_nothing_is_held() -> None:
    told = account(well=0)
    assert (told.completed, told.mean) == (0.0, float("inf"))
    assert not told.held()


# What GitHub has of a job.


def asked(kind: Kind, on: int = 7) -> Asked:
    return Asked(number=3, kind=kind, on=on, comment=1, at=0.0)


def said(number: int, *, person: str = "", body: str = f"Done.\n\n{mark_of(JOB)}") -> Comment:
    return Comment(id=number, on=7, body=body, at=AT, person=person, changed=AT)


def test_a_comment_is_counted_by_its_mark_and_by_who_wrote_it() -> None:
    issue = KeptIssue(number=7, title="Wanted", body=None, at=AT, labels=["banksman:applied"])
    strange = [said(2, person="alice"), said(3, body=f"Done.\n\n{mark_of('github-job/other')}")]
    for ours in range(3):
        books = Kept(issues=[issue], comments=[*strange, *[said(10 + one) for one in range(ours)]])
        assert effects(asked(Kind.READ), JOB, books) == {"result comment": ours, "label": 1}


def test_an_issue_that_still_says_pending_has_not_its_label() -> None:
    issue = KeptIssue(number=7, title="Wanted", body=None, at=AT, labels=["banksman:pending"])
    assert effects(asked(Kind.ASK), JOB, Kept(issues=[issue]))["label"] == 0


def made(number: int, key: str, conclusion: str | None) -> Check:
    """A check run that ended so, or that has not ended."""
    return Check(
        id=number,
        name="banksman / ReadFile",
        head_sha="f" * 40,
        external_id=key,
        status="completed" if conclusion else "in_progress",
        conclusion=conclusion,
        title=None,
        summary=None,
        at=AT,
    )


def test_check_runs_and_pull_requests_are_counted() -> None:
    checks = [made(1, JOB, "success"), made(2, "github-job/other", "success"), made(3, JOB, None)]
    pull = Pull(number=8, title="Wanted 3", body="", head="a", base="main", draft=False, at=AT)
    books = Kept(checks=checks, pulls=[pull, pull])
    found = effects(asked(Kind.CHECK), JOB, books)
    assert (found["check run"], found["check run that ended"]) == (2, 1)
    assert effects(asked(Kind.OPEN), JOB, books)["pull request"] == 2


# Deliveries.


def answers(refused: int = 0, seconds: float = 0.02, sent: int = 1000) -> Answers:
    return Answers.of([(number >= refused, seconds) for number in range(sent)])


def rolling(refused: int, *, rolls: int = 3, seconds: float = 0.02) -> Rolling:
    return Rolling(rolls=rolls, every=0.2, seconds=200.0, second_tries=9, answers=answers(refused, seconds))


def test_seconds_without_anybody_are_told_of_a_day_and_of_the_window() -> None:
    told = rolling(30)
    assert (told.share, told.down) == pytest.approx((0.97, 2.0))
    assert told.day == pytest.approx(1 - 24 * 2.0 / 86_400)
    assert told.held()
    assert not rolling(60).held()
    assert rolling(0).day == 1.0
    assert not rolling(0, seconds=0.3).held()


def flood(**what: object) -> Flood:
    whole = Flood(seconds=60.0, workflows=1000, ended=1000, drained=5.0, answers=answers(), jobs=account())
    return whole.model_copy(update=what)


@pytest.mark.parametrize(
    "short",
    [
        {"workflows": 999},
        {"ended": 999},
        {"workflows": 1001, "ended": 1001},
        {"answers": answers(1)},
        {"answers": answers(seconds=0.21)},
        {"jobs": account(Traced(asked="ReadFile", jobs=0))},
    ],
    ids=str,
)
def test_a_flood_of_which_one_is_missing_refused_or_late_is_not_held(short: dict[str, object]) -> None:
    assert flood().held()
    assert not flood(**short).held()


def test_the_line_does_everything_that_it_can() -> None:
    assert set(MISHAPS) == set(Mishap)


def report(jobs: Account) -> Jobs:
    machine = Machine(load_before=0.1, load_after=1.0)
    line = {str(Mishap.TWICE): 2, str(Mishap.LOST): 1}
    return Jobs(machine=machine, rolling=rolling(0), flood=flood(), jobs=jobs, answers=answers(5), line=line)


def test_it_is_kept_whole_and_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = report(account()), report(account(changed(jobs=2), Traced(asked="AskFor", jobs=0)))
    assert Jobs.model_validate_json(bad.model_dump_json()) == bad
    assert (good.held(), bad.held()) == (True, False)
    show_jobs(bad, tmp_path / "kept.json")
    told = capsys.readouterr().out
    for part in ("twice 2, lost 1", "1 (hold 0) missed", "AskFor: no end", "1000 of 1000", "5 refused", "kept.json"):
        assert part in told
