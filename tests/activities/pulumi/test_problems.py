"""Pulumi's words as one clear error: what kind it is, and that no secret is in it."""

import pytest

from activities.pulumi.problems import no_such_stack, problem, said
from connectors.errors import Conflict, ConnectorError, InvalidRequest, NotFound, Unavailable
from sandbox.pulumi.outcome import Ended, PreviewOutcome, RunOutcome, StepOutcome
from tests.activities.pulumi.test_files import files

SECRET = b"passphrase-canary-77"
LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete "
    "the lock file with `pulumi cancel`.\n  postgres://…/locks/x.json: created by run@pulumi-abc (pid 7) at 2026-11-21"
)

CLOUD = "https://api.pulumi.com"
CLOUD_LOCKED = "error: [409] Conflict: Another update is currently in progress.\nTo learn more about possible reasons"


def failed(step: str, words: str, *, ended: Ended = "failed", output: str = "") -> RunOutcome:
    one = StepOutcome(name=step, exit_code=255, seconds=1, said=words, changes={})
    return RunOutcome(ended=ended, steps=(one,), program_output=output, seconds=1)


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        (failed("up", LOCKED), Conflict, "holds the stack's lock (created by run@pulumi-abc"),
        (
            failed("preview", "error: incorrect passphrase"),
            InvalidRequest,
            "the passphrase in",
        ),
        (failed("create", "unable to open bucket: failed to ping PostgreSQL: EOF"), Unavailable, "does not answer"),
        (failed("before", "dial tcp 10.0.0.1:5432: connect: connection refused"), Unavailable, "does not answer"),
        (failed("create", 'unable to open bucket: pq: role "x" is not permitted to log in'), InvalidRequest, "refuses"),
        (failed("before", "error: no stack named 'dev' found"), NotFound, "there is no such stack"),
        (failed("preview", "error: boom", output="SyntaxError: invalid syntax"), InvalidRequest, "SyntaxError"),
        (failed("preview", "the program: connection refused by its own"), InvalidRequest, "by its own"),
        (failed("refresh", CLOUD_LOCKED), Conflict, "in progress at Pulumi Cloud"),
        (
            failed("create", "error: invalid access token"),
            InvalidRequest,
            "refuses the credentials",
        ),
        (
            failed("create", f"error: from {CLOUD}: Service Unavailable"),
            Unavailable,
            "does not answer",
        ),
        (failed("before", "error: [500] Internal Server Error (Request ID: 1)"), Unavailable, "does not answer"),
        (failed("version", "error: pulumi service: request rate-limit exceeded"), Unavailable, "does not answer"),
        (failed("preview", "error: [500] Internal Server Error of a provider"), InvalidRequest, "of a provider"),
        (failed("preview", "error: stat /tmp/pulumi/policies/a: not a directory"), InvalidRequest, "policy pack"),
        (failed("up", "", ended="lost"), Unavailable, "was lost"),
        (failed("up", "", ended="changed"), Conflict, "plan again"),
    ],
)
def test_each_is_told_by_its_kind(outcome: RunOutcome, kind: type[ConnectorError], words: str) -> None:
    found = problem(outcome, files(), what="the run", hidden=[SECRET])
    assert type(found) is kind
    assert words in str(found)
    assert str(found).startswith("the run of shop/dev at 000000000000")


PREVIEW: dict[str, object] = {"ended": "timeout", "seconds": 900, "allowed_seconds": 900}


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            PreviewOutcome.model_validate({**PREVIEW, "program_unended": True}),
            (
                "the program did not end within 15 minutes, so the preview of shop/dev at 000000000000 was stopped: "
                "mend the program, or raise 'preview_minutes' in the file that BANKSMAN_STACKS names"
            ),
        ),
        (
            PreviewOutcome.model_validate({**PREVIEW, "allowed_seconds": 60}),
            (
                "Pulumi did not end within 1 minute, so the preview of shop/dev at 000000000000 was stopped: "
                "look what it waits for, or raise 'preview_minutes' in the file that BANKSMAN_STACKS names"
            ),
        ),
        (
            RunOutcome(ended="timeout", seconds=3600, allowed_seconds=3600, program_unended=True),
            (
                "the program did not end within 60 minutes, so the preview of shop/dev at 000000000000 was stopped: "
                "mend the program, or make the stack smaller"
            ),
        ),
    ],
    ids=["the program", "something else", "a change"],
)
def test_what_took_too_long_is_told_with_the_limit_and_the_way_out(outcome: RunOutcome, words: str) -> None:
    found = problem(outcome, files(), what="the preview", hidden=[SECRET])
    assert (type(found), str(found)) == (InvalidRequest, words)


def test_no_secret_and_nothing_hidden_is_in_it() -> None:
    words = f"error: {SECRET.decode()} \u202e reversed\n" + "x" * 10_000 + f"\nthe end {SECRET.decode()}"
    outcome = failed("preview", words)
    text = str(problem(outcome, files(), what="the preview", hidden=[SECRET]))
    assert "canary" not in text + said(outcome, [SECRET])
    assert "\u202e" not in text
    assert "the end [secret]" in text
    assert len(text) < 2_000


def test_values_of_a_violated_plan_are_not_handed_on() -> None:
    words = "error: resource urn:x violates plan: properties changed: =~password[{old-canary}!={new-canary}]"
    outcome = failed("up", words)
    assert "canary" not in said(outcome, []) + str(problem(outcome, files(), what="the update", hidden=[]))
    assert "password" in said(outcome, [])


def test_a_stack_that_is_not_there_is_known() -> None:
    assert no_such_stack(failed("before", "error: no stack named 'dev' found"))
    assert not no_such_stack(failed("before", "error: something else"))


def test_of_a_traceback_only_the_error_and_its_place_are_told() -> None:
    frames = "".join(
        f'  File "/program/part_{number}.py", line {number}, in call\n    call()\n' for number in range(60)
    )
    trace = f"Traceback (most recent call last):\n{frames}NameError: name 'missing' is not defined\n"
    told = str(problem(failed("preview", f"error: it failed:\n{trace}"), files(), what="the preview", hidden=()))
    assert "\"NameError: name 'missing' is not defined (line 59 of part_59.py)\"" in told
    assert "File" not in told
    by_program = str(problem(failed("preview", "error: boom", output=trace), files(), what="the preview", hidden=()))
    assert by_program == told
    secret = trace.replace("missing", SECRET.decode())
    assert SECRET.decode() not in str(problem(failed("up", secret), files(), what="the up", hidden=(SECRET,)))
