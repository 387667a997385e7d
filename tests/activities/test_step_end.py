"""What people are told of a step's end: from its answer, and never that all is well where it is not."""

import json

import pytest

from activities.github.contracts import BranchDeleted
from activities.pulumi.contracts import StackChanged, StackRestored, StackUnlocked
from activities.step_end import StepEnd
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.event_reader import read_events
from connectors.pulumi.outcome import Ended, ResourceChange, UpOutcome, classify_up
from connectors.pulumi.state import State
from connectors.pulumi.values import cause

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (StepEnd(way="completed"), "carried out"),
        (StepEnd(way="completed", done=("create a", "create b")), "carried out: 2 done"),
        (
            StepEnd(way="refused", not_done=("create a",), why="a: no"),
            "refused, and nothing was changed: 1 not done (create a). Why: a: no",
        ),
        (
            StepEnd(way="partially_applied", done=("create a",), failed=("create b",), not_done=tuple("cdefg")),
            "carried out in part: 1 done (create a); 1 failed (create b); 5 not done (c, d, e and 2 more)",
        ),
        (
            StepEnd(way="unknown", in_doubt=("delete a",), unplanned=("update z",)),
            (
                "in doubt: nobody can say whether it was carried out; 1 in doubt (delete a); "
                "1 not in the plan and done (update z)"
            ),
        ),
        (StepEnd(way="cancelled"), "cancelled while it was carried out"),
        (StepEnd(way="failed", why="the head moved"), "not carried out. Why: the head moved"),
        (StepEnd(way="denied", why="other plan"), "not carried out. Why: other plan"),
        (BranchDeleted(head="0" * 40).end(), "carried out"),
        (StackUnlocked(released=True).end(), "carried out"),
        (
            StackUnlocked(released=False, owners=("run-2",)).end(),
            "refused, and nothing was changed. Why: run-2 holds it",
        ),
        (StackRestored(ended=Ended.APPLIED, replaced=DIGEST).end(), "carried out"),
        (
            StackRestored(ended=Ended.UNKNOWN, replaced=DIGEST, said="error: no answer").end(),
            "in doubt: nobody can say whether it was carried out. Why: error: no answer",
        ),
    ],
)
def test_each_way_in_one_line(end: StepEnd, told: str) -> None:
    assert end.sentence() == told


@pytest.mark.parametrize("ended", Ended)
def test_only_what_was_applied_is_carried_out(ended: Ended) -> None:
    change = ResourceChange(urn="urn:pulumi:dev::infra::a:b:C::shop\u202e", change=ChangeKind.CREATE)
    end = StackChanged(outcome=UpOutcome(ended=ended, not_done=(change,))).end()
    assert (end.way == "completed") is (ended is Ended.APPLIED)
    assert end.not_done == ("create a:b:C shop\\u202e",)
    assert end.sentence().startswith("carried out:") is (ended is Ended.APPLIED)
    assert end.next_step


@pytest.mark.parametrize("ended", Ended)
def test_a_state_that_was_not_put_back_comes_with_what_to_do(ended: Ended) -> None:
    end = StackRestored(ended=ended, replaced=DIGEST, said="error: no").end()
    expected = {Ended.APPLIED: "DetectDrift", Ended.REFUSED: "Nothing was changed."}.get(ended, "InspectStack")
    assert end.next_step.startswith(expected)
    assert "InspectStack" in StackUnlocked(released=False).end().next_step


TRACE = """Program failed with an unhandled exception:
    Traceback (most recent call last):
      File "/usr/lib/python3/runpy.py", line 86, in _run_code
        exec(code, run_globals)
      File "/workspace/program/__main__.py", line 7, in <module>
        db = Database("shop", owner=missing)
                                    ^^^^^^^
    NameError: name 'missing' is not defined
    During which nothing else happened
"""


def test_the_cause_of_a_traceback_is_its_last_line_and_where() -> None:
    assert cause(TRACE) == "NameError: name 'missing' is not defined (line 7 of __main__.py)"
    again = TRACE.replace("missing", "x")
    two = f"{TRACE}\nDuring handling of the above exception, another exception occurred:\n\n{again}"
    assert cause(two).startswith("NameError: name 'x' is not defined")
    assert cause("error: it is in use\nmore\nthe end") == "error: it is in use … the end"
    assert cause("Traceback (most recent call last):") == "Traceback (most recent call last):"
    assert cause("") == ""


def test_a_refusal_names_the_resource() -> None:
    urn = "urn:pulumi:dev::infra::banksman:postgres:Database::blog"
    stack = "urn:pulumi:dev::infra::pulumi:pulumi:Stack::infra-dev"
    events = b"".join(
        json.dumps({"sequence": 1, "timestamp": 1, "diagnosticEvent": dict(said, severity="error")}).encode() + b"\n"
        for said in ({"urn": stack, "message": "update failed"}, {"urn": urn, "message": "it is in use"})
    )
    empty = State.model_validate({"identity": "0" * 64, "resources": {}})
    found = classify_up({urn: ChangeKind.DELETE}, read_events(events), before=empty, after=empty)
    assert found.errors == ("banksman:postgres:Database blog: it is in use", "update failed")
    assert found.ended is Ended.REFUSED
    assert StackChanged(outcome=found).end().sentence() == (
        "refused, and nothing was changed: 1 not done (delete banksman:postgres:Database blog). "
        "Why: banksman:postgres:Database blog: it is in use"
    )
