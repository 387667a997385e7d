"""A stack's plan cut into parts: each has an end, and together they are all of it."""

from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.stack_plan import StackPlan
from hitl.console.stacks.plans import FoundStackPlan
from hitl.console.stacks.view import shown_alone, shown_part
from tests.hitl.console.stacks.shown import COMMIT, a_bit_of_all, change, digest_of, many


def test_every_change_is_on_one_part() -> None:
    plan = many(1234)
    found = FoundStackPlan(digest=digest_of(b""), destroy=False, plan=plan)
    parts = [part for number in range(-1, 40) if (part := shown_part(found, number)) is not None]
    assert [part.part for part in parts] == list(range(1, 26))
    assert [one.name for part in parts for one in part.changes] == [one.name for one in plan.changes]
    assert [(part.first, part.last) for part in (parts[0], parts[-1])] == [(1, 50), (1201, 1234)]


def test_a_plan_of_outputs_alone_has_one_part() -> None:
    plan = StackPlan(project="shop", stack="prod", commit=COMMIT, outputs=a_bit_of_all().outputs)
    found = FoundStackPlan(digest=digest_of(b""), destroy=False, plan=plan)
    part = shown_part(found, 1)
    assert part is not None
    assert (part.parts, part.total, len(part.outputs.items), part.drift) == (1, 0, 1, None)
    assert shown_part(found, 2) is None


def test_where_nothing_is_yet_nobody_had_to_look_for_drift() -> None:
    plans = [many(60).model_copy(update={"unchanged": 0}), a_bit_of_all()]
    plans.append(plans[0].model_copy(update={"changes": (change(ChangeKind.CREATE, "first"),)}))
    parts = [shown_part(FoundStackPlan(digest=digest_of(b""), destroy=False, plan=plan), 1) for plan in plans]
    assert [part.new for part in parts if part] == [False, False, True]


def test_without_a_plan_there_is_the_problem_alone() -> None:
    found = FoundStackPlan(digest="", destroy=False, problem="it is \u202egone")
    part = shown_part(found, 7)
    assert part is not None
    assert (part.problem, part.changes) == ("it is \\u202egone", ())
    assert shown_alone(found, 0) is None
