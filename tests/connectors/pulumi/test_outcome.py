"""How an up ended, on the real CLI: each gap of update plans, each bad day, and what the classification says of it.

The exit code is asserted beside it, to show that it does not tell.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.event_reader import read_events
from connectors.pulumi.events import EventLog
from connectors.pulumi.outcome import Ended, UpOutcome, classify_up
from connectors.pulumi.prices import load_prices
from connectors.pulumi.stack_plan import Knowledge, StackPlan, stack_plan
from connectors.pulumi.state import read_state
from connectors.pulumi.stateful import load_stateful
from tests.connectors.pulumi.machine import PROGRAM, Ran, Stack

pytestmark = pytest.mark.timeout(1800)

KNOWLEDGE = Knowledge(stateful=load_stateful(), prices=load_prices(), today=date(2026, 11, 21))
ONLY_FOR_REAL = "\nif not pulumi.runtime.is_dry_run():\n    "


class Ended_(NamedTuple):  # noqa: N801 - beside `Ended`
    code: int
    outcome: UpOutcome


def names(deeds: tuple[object, ...]) -> list[str]:
    return [str(getattr(one, "urn", "")).rpartition("::")[2] for one in deeds]


def plan_of(stack: Stack) -> StackPlan:
    return stack_plan(read_events(stack.preview().must().events), commit="c" * 40, knowledge=KNOWLEDGE)


def run_goal(stack: Stack, plan: StackPlan, up: Callable[[], Ran] | None = None) -> Ended_:
    before = read_state(stack.export())
    ran = (up or stack.up)()
    after = read_state(stack.export())
    return Ended_(ran.code, classify_up(plan.expected, read_events(ran.events), before=before, after=after))


def test_what_was_planned_and_done_is_applied(stack: Stack) -> None:
    stack.configure("first", "2")
    stack.configure("path", "elsewhere.txt")
    stack.write(PROGRAM.replace('second = file("second"', 'third = file("third"'))
    ended = run_goal(stack, plan_of(stack))
    assert ended.code == 0
    assert ended.outcome.ended is Ended.APPLIED
    assert {(one.change, one.urn.rpartition("::")[2]) for one in ended.outcome.done} == {
        (ChangeKind.REPLACE, "first"),
        (ChangeKind.DELETE, "second"),
        (ChangeKind.CREATE, "third"),
    }
    assert (ended.outcome.not_done, ended.outcome.unplanned, ended.outcome.errors) == ((), (), ())
    assert ended.outcome.state_before != ended.outcome.state_after


def test_a_first_up_of_an_empty_stack_is_applied(deployed: Stack, tmp_path: Path) -> None:
    stack = Stack.make(tmp_path / "new", deployed.tools)
    stack.configure("password", "hunter2-canary", secret=True)
    stack.write(PROGRAM)
    ended = run_goal(stack, plan_of(stack))
    assert ended.outcome.ended is Ended.APPLIED
    assert names(ended.outcome.done) == ["first", "locked", "second"]


def test_nothing_to_do_and_nothing_done_is_applied(stack: Stack) -> None:
    ended = run_goal(stack, plan_of(stack))
    assert ended.outcome.ended is Ended.APPLIED
    assert ended.outcome.state_before == ended.outcome.state_after


def test_a_planned_change_of_an_output_alone_is_applied(stack: Stack) -> None:
    stack.configure("output", "y")
    plan = plan_of(stack)
    assert (plan.changes, [one.path for one in plan.outputs]) == ((), ["output"])
    assert run_goal(stack, plan).outcome.ended is Ended.APPLIED


def test_a_program_changed_after_the_approval_is_refused_before_any_change(stack: Stack) -> None:
    stack.configure("first", "2")
    plan = plan_of(stack)
    stack.write(PROGRAM + 'file("extra", "3")\n')
    ended = run_goal(stack, plan)
    assert ended.code == 255
    assert ended.outcome.ended is Ended.REFUSED
    assert names(ended.outcome.not_done) == ["first"]
    assert ended.outcome.state_before == ended.outcome.state_after
    assert "create is not allowed by the plan" in ended.outcome.errors[0]
    assert sorted(one.name for one in stack.files.iterdir()) == ["first.txt", "locked.txt", "second.txt"]
    assert (stack.files / "first.txt").read_text() == "1"


def test_a_configuration_changed_after_the_approval_is_refused_before_any_change(stack: Stack) -> None:
    stack.configure("first", "2")
    plan = plan_of(stack)
    stack.configure("first", "3")
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (255, Ended.REFUSED)


def test_gap_a_plan_from_before_somebody_elses_up_is_applied_and_only_the_states_identity_tells(stack: Stack) -> None:
    stack.configure("first", "2")
    plan = plan_of(stack)
    approved = read_state(stack.export()).identity
    stack.configure("first", "9")
    stack.logged("up", "--yes", "--skip-preview").must()
    stack.configure("first", "2")
    assert read_state(stack.export()).identity != approved  # what is compared under the lock, and ends it there
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (0, Ended.APPLIED)


def test_gap_a_resource_that_the_program_makes_only_for_real_stops_the_up_in_the_middle(stack: Stack) -> None:
    stack.configure("first", "2")
    stack.write(PROGRAM + ONLY_FOR_REAL + 'file("extra", "3", depends_on=[second, locked])\n')
    ended = run_goal(stack, plan_of(stack))
    assert (ended.code, ended.outcome.ended) == (255, Ended.PARTIALLY_APPLIED)
    assert names(ended.outcome.done) == ["first"]
    assert ended.outcome.unplanned == ()
    assert "create is not allowed by the plan" in ended.outcome.errors[0]
    assert not (stack.files / "extra.txt").exists()


def test_gap_another_output_for_real_ends_255_without_a_word_after_all_was_done(stack: Stack) -> None:
    stack.configure("first", "2")
    stack.write(PROGRAM + 'pulumi.export("moody", str(pulumi.runtime.is_dry_run()))\n')
    ended = run_goal(stack, plan_of(stack))
    assert (ended.code, ended.outcome.ended) == (255, Ended.PARTIALLY_APPLIED)
    assert names(ended.outcome.done) == ["first"]
    assert (ended.outcome.not_done, ended.outcome.errors) == ((), ())
    assert not ended.outcome.outputs_recorded


def test_gap_a_resource_made_of_what_is_known_only_later_stops_the_up_after_what_it_waits_for(stack: Stack) -> None:
    stack.write(PROGRAM + 'new = file("new", "3")\nnew.id.apply(lambda it: file("later", "of " + it))\n')
    plan = plan_of(stack)
    assert [one.name for one in plan.changes] == ["new"]
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (255, Ended.PARTIALLY_APPLIED)
    assert names(ended.outcome.done) == ["new"]


def test_gap_drift_is_overwritten_and_only_a_refresh_before_it_tells(stack: Stack) -> None:
    stack.configure("first", "2")
    plan = plan_of(stack)
    (stack.files / "first.txt").write_text("by hand")
    looked = stack.logged("refresh", "--preview-only", "--expect-no-changes")
    assert looked.code == 255
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (0, Ended.APPLIED)
    assert (stack.files / "first.txt").read_text() == "2"


def test_gap_a_plan_made_with_a_refresh_does_nothing_without_one_and_exits_with_0(stack: Stack) -> None:
    (stack.files / "first.txt").write_text("by hand")
    (stack.files / "locked.txt").write_text("by hand")
    plan = stack_plan(read_events(stack.preview("--refresh").must().events), commit="c" * 40, knowledge=KNOWLEDGE)
    assert plan.overwrites == ("first", "locked")
    without = run_goal(stack, plan)
    assert (without.code, without.outcome.ended) == (0, Ended.REFUSED)
    assert names(without.outcome.not_done) == ["first", "locked"]
    assert (stack.files / "first.txt").read_text() == "by hand"
    refreshed = run_goal(stack, plan, up=lambda: stack.up("--refresh"))
    assert (refreshed.code, refreshed.outcome.ended) == (0, Ended.APPLIED)
    assert (stack.files / "first.txt").read_text() == "1"


def test_what_a_refresh_only_noticed_is_no_deed(stack: Stack) -> None:
    stack.write(PROGRAM.replace("depends_on=[first]", 'depends_on=[first], ignore_changes=["content"]'))
    (stack.files / "second.txt").write_text("by hand, and to be left alone")
    stack.configure("first", "2")
    plan = stack_plan(read_events(stack.preview("--refresh").must().events), commit="c" * 40, knowledge=KNOWLEDGE)
    assert [one.name for one in plan.changes] == ["first"]
    ended = run_goal(stack, plan, up=lambda: stack.up("--refresh"))
    assert (ended.code, ended.outcome.ended, ended.outcome.unplanned) == (0, Ended.APPLIED, ())
    assert (stack.files / "second.txt").read_text() == "by hand, and to be left alone"


def test_a_program_that_fails_for_real_is_partial_when_something_was_done(stack: Stack) -> None:
    stack.configure("first", "2")
    stack.write(PROGRAM + ONLY_FOR_REAL + 'raise SystemError("moody")\n')
    ended = run_goal(stack, plan_of(stack))
    assert ended.code == 255
    assert ended.outcome.ended in {Ended.PARTIALLY_APPLIED, Ended.REFUSED}  # it races with the engine
    assert (ended.outcome.ended is Ended.REFUSED) == (not ended.outcome.done)
    assert (stack.files / "first.txt").read_text() == ("2" if ended.outcome.done else "1")
    assert "SystemError: moody" in ended.outcome.errors[0]


def test_an_up_that_fails_half_way_lists_what_was_done_and_what_was_not(stack: Stack) -> None:
    stack.configure("first", "2")
    stack.write(
        PROGRAM + 'a = file("third", "3", path="d/3.txt", depends_on=[first])\nfile("fourth", "4", depends_on=[a])\n'
    )
    plan = plan_of(stack)
    (stack.files / "d").write_text("in the way")
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (255, Ended.PARTIALLY_APPLIED)
    assert names(ended.outcome.done) == ["first"]
    assert names(ended.outcome.not_done) == ["fourth", "third"]
    assert [(one.op, one.urn.rpartition("::")[2]) for one in ended.outcome.failed] == [("create", "third")]
    (stack.files / "d").unlink()
    rest = plan_of(stack)
    assert sorted(one.name for one in rest.changes) == ["fourth", "third"]
    assert run_goal(stack, rest).outcome.ended is Ended.APPLIED


def test_a_replacement_that_loses_the_old_one_and_fails_is_partial(stack: Stack) -> None:
    """The new one is made first; the old one cannot be deleted, and waits in the state for the next update."""
    stack.configure("path", "elsewhere.txt")
    plan = plan_of(stack)
    (stack.files / "first.txt").unlink()
    (stack.files / "first.txt" / "full").mkdir(parents=True)
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (255, Ended.PARTIALLY_APPLIED)
    assert names(ended.outcome.not_done) == ["first"]
    assert [one.op for one in ended.outcome.failed] == ["delete-replaced"]


def test_a_deletion_of_which_the_provider_does_not_say_whether_it_happened_is_in_doubt(stack: Stack) -> None:
    """As after a lost connection: the same log, with the status that such a failure has."""
    stack.write(PROGRAM.replace('second = file("second"', 'third = file("third"'))
    plan, before = plan_of(stack), read_state(stack.export())
    (stack.files / "second.txt").unlink()
    (stack.files / "second.txt" / "full").mkdir(parents=True)
    ran, state = stack.up(), stack.export()
    known = read_events(ran.events)
    assert classify_up(plan.expected, known, before=before, after=read_state(state)).ended is Ended.PARTIALLY_APPLIED
    lost = read_events(ran.events.replace(b'"status":0', b'"status":2'))
    assert lost != known
    outcome = classify_up(plan.expected, lost, before=before, after=read_state(state))
    assert outcome.ended is Ended.UNKNOWN
    assert names(outcome.in_doubt) == ["second"]


def test_a_wrong_passphrase_is_refused_before_any_change(stack: Stack) -> None:
    stack.configure("first", "2")
    plan = plan_of(stack)
    other = Stack(stack.folder, stack.tools, {"PULUMI_CONFIG_PASSPHRASE": "wrong"})
    ended = run_goal(stack, plan, up=other.up)
    assert (ended.code, ended.outcome.ended) == (255, Ended.REFUSED)


def test_another_up_under_way_is_refused_before_any_change(stack: Stack) -> None:
    stack.configure("first", "2")
    plan = plan_of(stack)
    lock = stack.folder / "state/.pulumi/locks/organization/shop/dev/somebody.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text('{"pid": 1, "username": "somebody", "hostname": "elsewhere", "timestamp": "2026-11-21T13:00:00Z"}')
    ended = run_goal(stack, plan)
    assert (ended.code, ended.outcome.ended) == (255, Ended.REFUSED)


SLOW = "first = file('first', config.get('first') or '1', path='pipe')\n"


def broken(stack: Stack, plan: StackPlan, kill: Callable[[psutil.Process], None]) -> Ended_:
    """An up in which something is killed while a provider works on a resource; nobody is asked to stop."""
    pipe = stack.files / "pipe"
    log = stack.folder / "killed.ndjson"
    before = read_state(stack.export())
    pipe.unlink()
    os.mkfifo(pipe)  # whoever writes it waits for a reader
    command = [*stack.command("up", "--yes", "--skip-preview", f"--plan={stack.plan}"), f"--event-log={log}"]
    process = subprocess.Popen(command, env=stack.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (begun(log) and noted(stack)):
            assert time.monotonic() < deadline, "the update did not begin"
            assert process.poll() is None
            time.sleep(0.02)
        kill(psutil.Process(process.pid))
        process.wait(60)
    finally:
        if process.poll() is None:
            kill_all(psutil.Process(process.pid))
            process.wait()
    after = read_state(stack.export())
    outcome = classify_up(plan.expected, read_events(log.read_bytes()), before=before, after=after)
    return Ended_(process.returncode, outcome)


def begun(log: Path) -> bool:
    return log.exists() and b'"op":"update"' in log.read_bytes()


def noted(stack: Stack) -> bool:
    """Whether the state says that something has begun; a file is not whole while it is written."""
    try:
        state = json.loads((stack.folder / "state/.pulumi/stacks/shop/dev.json").read_bytes())
    except json.JSONDecodeError:
        return False
    return bool(state["checkpoint"]["latest"].get("pending_operations"))


def kill_all(cli: psutil.Process) -> None:
    """The CLI before all others, which would tell it of their end."""
    below = cli.children(recursive=True)
    # Its plugins are in process groups of their own, and a program whose CLI is gone spins for ever.
    for one in [cli, *below]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()


def kill_provider(cli: psutil.Process) -> None:
    (provider,) = [one for one in cli.children(recursive=True) if one.name().startswith("pulumi-resource-")]
    provider.kill()


@pytest.fixture
def waiting(deployed: Stack, tmp_path: Path) -> Stack:
    """A stack whose next update waits in the middle, for ever."""
    stack = Stack.make(tmp_path / "new", deployed.tools)
    stack.write(PROGRAM.partition("first =")[0] + SLOW)
    stack.preview().must()
    stack.up().must()
    stack.configure("first", "2")
    return stack


def test_a_cli_that_is_killed_in_the_middle_leaves_what_it_did_in_doubt(waiting: Stack) -> None:
    ended = broken(waiting, plan_of(waiting), kill_all)
    assert ended.outcome.ended is Ended.UNKNOWN
    assert names(ended.outcome.in_doubt) == ["first"]
    assert names(ended.outcome.not_done) == ["first"]
    assert "Look up at the provider" in ended.outcome.next_step


def test_gap_the_engine_takes_a_provider_that_dies_for_one_that_failed(waiting: Stack) -> None:
    """It notes nothing as pending then. It is told as tried and failed, which may have been done in part."""
    ended = broken(waiting, plan_of(waiting), kill_provider)
    assert ended.code == 255
    assert ended.outcome.ended is Ended.PARTIALLY_APPLIED
    assert names(ended.outcome.failed) == ["first"]
    assert names(ended.outcome.not_done) == ["first"]
    assert "Look at what failed" in ended.outcome.next_step


def test_a_state_that_cannot_be_read_afterwards_is_unknown_with_what_the_events_say(stack: Stack) -> None:
    stack.configure("first", "2")
    plan, before = plan_of(stack), read_state(stack.export())
    log = read_events(stack.up().must().events)
    outcome = classify_up(plan.expected, log, before=before, after=None)
    assert outcome.ended is Ended.UNKNOWN
    assert names(outcome.done) == ["first"]


def test_without_any_log_the_state_alone_never_says_applied_or_refused_wrongly(stack: Stack) -> None:
    stack.configure("first", "2")
    stack.configure("second", "2")
    plan, before = plan_of(stack), read_state(stack.export())
    assert classify_up(plan.expected, EventLog(), before=before, after=before).ended is Ended.REFUSED
    stack.up().must()
    after = read_state(stack.export())
    outcome = classify_up(plan.expected, EventLog(), before=before, after=after)
    assert outcome.ended is Ended.PARTIALLY_APPLIED  # that the program ended, nobody saw
    assert names(outcome.done) == ["first", "second"]


def test_what_was_never_approved_and_done_is_named(stack: Stack) -> None:
    plan, before = plan_of(stack), read_state(stack.export())
    stack.configure("first", "2")
    log = read_events(stack.logged("up", "--yes", "--skip-preview").must().events)
    outcome = classify_up(plan.expected, log, before=before, after=read_state(stack.export()))
    assert outcome.ended is Ended.PARTIALLY_APPLIED
    assert names(outcome.unplanned) == ["first"]


def test_a_destroy_is_applied_when_nothing_is_left(stack: Stack) -> None:
    preview = read_events(stack.logged("destroy", "--preview-only").must().events)
    plan = stack_plan(preview, commit="c" * 40, knowledge=KNOWLEDGE)
    assert set(plan.expected.values()) == {ChangeKind.DELETE}
    before = read_state(stack.export())
    log = read_events(stack.logged("destroy", "--yes", "--skip-preview").must().events)
    after = read_state(stack.export())
    outcome = classify_up(plan.expected, log, before=before, after=after, destroy=True)
    assert outcome.ended is Ended.APPLIED
    assert names(outcome.done) == ["first", "locked", "second"]
