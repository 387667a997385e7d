"""Plans made of previews of the real CLI: what people see first, what they must not see, and what is no plan."""

import json
from datetime import date
from pathlib import Path

import pytest

from connectors.pulumi.approval import UpdateStackParameters, approval_plan, risk_of
from connectors.pulumi.changes import ChangeKind, ResourceChange
from connectors.pulumi.digests import ApprovedInputs, content_digest
from connectors.pulumi.drift import find_drift
from connectors.pulumi.event_reader import EventLimits, read_events
from connectors.pulumi.events import EventLog
from connectors.pulumi.prices import Price, Prices, load_prices
from connectors.pulumi.rendering import short_lines
from connectors.pulumi.stack_plan import Knowledge, PlanImpossible, StackPlan, stack_plan
from connectors.pulumi.stateful import load_stateful
from hitl.approval.plan import Change, PlanError, Risk, read_plan
from tests.connectors.pulumi.machine import PROGRAM, Ran, Stack

pytestmark = pytest.mark.timeout(1800)

COMMIT = "c0ffee" + "0" * 34
KNOWLEDGE = Knowledge(stateful=load_stateful(), prices=load_prices(), today=date(2026, 11, 21))


def planned(ran: Ran) -> StackPlan:
    return stack_plan(read_events(ran.events), commit=COMMIT, knowledge=KNOWLEDGE)


@pytest.fixture(scope="session")
def dangerous(deployed: Stack, tmp_path_factory: pytest.TempPathFactory) -> StackPlan:
    """One file is replaced, one deleted, a secret one changed, one made; an output changes, and there is drift."""
    stack = deployed.copy(tmp_path_factory.mktemp("dangerous") / "stack")
    (stack.files / "first.txt").write_text("by hand")
    stack.configure("path", "elsewhere.txt")
    stack.configure("password", "hunter3-canary", secret=True)
    stack.configure("output", "y")
    stack.write(PROGRAM.replace('second = file("second"', 'third = file("third"'))
    return planned(stack.preview("--refresh").must())


def test_replacements_and_deletions_come_first_with_their_reason(dangerous: StackPlan) -> None:
    assert [(one.change, one.name) for one in dangerous.changes] == [
        (ChangeKind.REPLACE, "first"),
        (ChangeKind.DELETE, "second"),
        (ChangeKind.UPDATE, "locked"),
        (ChangeKind.CREATE, "third"),
    ]
    assert dangerous.counts == dict.fromkeys(list(ChangeKind)[:4], 1)
    assert dangerous.unchanged == 0
    replaced = dangerous.changes[0]
    assert replaced.forced_by == ("path",)
    assert not replaced.deleted_first
    assert replaced.stateful == "the file's content"
    told = [(one.path, one.forces_replacement, one.before, one.after) for one in replaced.properties]
    assert told == [("content", False, "by hand", "1"), ("path", True, "first.txt", "elsewhere.txt")]


def test_drift_that_the_update_overwrites_is_told(dangerous: StackPlan) -> None:
    assert dangerous.drift is not None
    assert [(one.name, one.properties[0].after) for one in dangerous.drift.items] == [("first", "by hand")]
    assert dangerous.overwrites == ("first",)


def test_drift_that_was_written_into_the_state_before_the_preview_is_told_too(stack: Stack) -> None:
    (stack.files / "first.txt").write_text("by hand")
    refreshed = read_events(stack.logged("refresh", "--yes", "--skip-preview").must().events)
    drift = find_drift(refreshed, today=KNOWLEDGE.today)
    log = read_events(stack.preview().must().events)
    plan = stack_plan(log, commit=COMMIT, knowledge=KNOWLEDGE, drift=drift)
    assert plan.overwrites == ("first",)
    assert [(one.path, one.before, one.after) for one in plan.changes[0].properties] == [("content", "by hand", "1")]
    assert stack_plan(log, commit=COMMIT, knowledge=KNOWLEDGE).drift is None


def test_no_secret_is_in_a_plan_in_any_form(dangerous: StackPlan) -> None:
    locked = next(one for one in dangerous.changes if one.name == "locked")
    assert [(one.path, one.before, one.after) for one in locked.properties] == [("content", "[secret]", "[secret]")]
    everything = dangerous.model_dump_json() + "".join(short_lines(dangerous))
    assert "hunter" not in everything
    assert "ciphertext" not in everything


def test_what_destroys_is_said_first(dangerous: StackPlan) -> None:
    short = short_lines(dangerous)
    counted = "1 to replace, 1 to delete, 1 to update, 1 to create, 1 stack outputs to change; 0 unchanged"
    why = "loses the file's content; replaced because of path"
    assert short[:5] == (
        f"shop/dev at c0ffee000000: {counted}",
        "LOSES DATA: first (the file's content), second (the file's content)",
        "Overwrites what was changed by hand: first",
        "Costs nothing more",
        f"+- replace banksman:files:File first ({why}): content by hand → 1, path first.txt → elsewhere.txt",
    )
    assert short[5] == ("- delete banksman:files:File second (loses the file's content; the program no longer has it)")
    assert "~ stack output output x → y" in short
    assert "content [secret] → [secret] (another value)" in "\n".join(short)
    forced = [(one.path, one.before, one.after) for one in dangerous.changes[0].properties if one.forces_replacement]
    assert forced == [("path", "first.txt", "elsewhere.txt")]


def test_short_is_bounded_and_counts_what_it_leaves_out(dangerous: StackPlan) -> None:
    many = dangerous.model_copy(update={"changes": dangerous.changes * 200})
    lines = short_lines(many, most=20)
    assert len(lines) == 20
    assert lines[-1].startswith("and ")
    assert max(map(len, short_lines(many.model_copy(update={"stack": "s" * 900})))) == 500


def parameters(plan: StackPlan) -> UpdateStackParameters:
    digest = content_digest(plan.model_dump_json().encode())
    inputs = ApprovedInputs(
        commit=plan.commit,
        program=digest,
        configuration=digest,
        plan_file=digest,
        image=digest,
        program_image=digest,
        state="0" * 64,
    )
    return UpdateStackParameters(
        repository="acme/shop",
        folder="infrastructure",
        environment="live",
        project=plan.project,
        stack=plan.stack,
        prepared=digest,
        inputs=inputs,
        salt="v1:AAAA",
        exported=digest,
        whole_plan=digest,
    )


def test_people_approve_it_as_a_plan_of_ours(dangerous: StackPlan) -> None:
    wanted = parameters(dangerous)
    made = read_plan(approval_plan(dangerous, wanted).text())
    assert made.action == "pulumi.update_stack"
    assert made.parameters_as(UpdateStackParameters) == wanted
    assert made.policy_context().repository_owner == "acme"
    assert [(one.change, one.name) for one in made.resources][:2] == [
        (Change.REPLACE, "first"),
        (Change.DELETE, "second"),
    ]
    assert made.risk is Risk.HIGH
    assert made.cost is not None
    assert made.cost.usd_cents == 0


def test_a_huge_plan_is_cut_where_it_is_least_dangerous_and_says_so(dangerous: StackPlan) -> None:
    create = dangerous.changes[-1]
    many = tuple(create.model_copy(update={"name": f"{index}-{'n' * 480}"}) for index in range(3000))
    huge = dangerous.model_copy(update={"changes": (*dangerous.changes[:2], *many)})
    assert len(huge.model_dump_json()) > 2_000_000
    made = approval_plan(huge, parameters(huge))
    assert len(made.text().encode()) <= 128 * 1024
    assert [one.name for one in made.resources[:2]] == ["first", "second"]
    assert made.summary[0].startswith("shop/dev at c0ffee000000: 1 to replace, 1 to delete, 3000 to create")
    assert made.summary[-1] == f"{3002 - len(made.resources)} more resources are only in the whole plan"


def test_a_plan_is_kept_whole_and_read_again_as_it_was(dangerous: StackPlan) -> None:
    assert StackPlan.model_validate_json(dangerous.model_dump_json()) == dangerous


def test_names_and_values_that_hide_or_turn_text_around_are_made_visible(dangerous: StackPlan) -> None:
    first = dangerous.changes[0]
    value = first.properties[0].model_copy(update={"after": "1\n- nothing is deleted\u202e"})
    hostile = first.model_copy(update={"name": "a\u202eb\u200b", "properties": (value,)})
    plan = dangerous.model_copy(update={"changes": (hostile,)})
    text = "\n".join(short_lines(plan))
    assert "a\\u202eb\\u200b" in text
    assert "1\\u000a- nothing is deleted\\u202e" in text
    assert "\u202e" not in text
    assert approval_plan(plan, parameters(plan)).resources[0].name == "a\\u202eb\\u200b"


def test_nothing_to_do_is_nothing_to_approve(deployed: Stack, tmp_path: Path) -> None:
    plan = planned(deployed.copy(tmp_path / "stack").preview().must())
    assert plan.empty
    assert plan.unchanged == 3
    assert short_lines(plan)[0] == "shop/dev at c0ffee000000: nothing to do; 3 unchanged"
    assert "Drift was not looked for" in short_lines(plan)
    with pytest.raises(PlanError, match="there is nothing to approve"):
        approval_plan(plan, parameters(plan))


def test_a_plan_of_another_commit_than_its_parameters_is_refused(dangerous: StackPlan) -> None:
    other = dangerous.model_copy(update={"commit": "d" * 40})
    with pytest.raises(PlanError, match="plan again"):
        approval_plan(other, parameters(dangerous))


def test_a_program_that_does_not_run_is_no_plan(stack: Stack) -> None:
    stack.write("def (")
    ran = stack.preview()
    assert ran.code != 0
    with pytest.raises(
        PlanImpossible, match=r"the preview failed: SyntaxError: invalid syntax \(line 1 of __main__\.py\)"
    ):
        planned(ran)


def test_half_a_log_is_no_plan(stack: Stack) -> None:
    stack.configure("first", "2")
    whole = stack.preview().must().events
    lines = whole.splitlines(keepends=True)
    for part in (b"", lines[0], b"".join(lines[:-1]), b"".join(lines[:-2])):
        with pytest.raises(PlanImpossible, match="did not reach its end"):
            stack_plan(read_events(part), commit=COMMIT, knowledge=KNOWLEDGE)
    with pytest.raises(PlanImpossible, match="what is not seen cannot be approved"):
        stack_plan(read_events(whole, limits=EventLimits(line=300)), commit=COMMIT, knowledge=KNOWLEDGE)
    with pytest.raises(PlanImpossible, match="of an update, not of a preview"):
        stack_plan(read_events(stack.up().must().events), commit=COMMIT, knowledge=KNOWLEDGE)


PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def two(args, report):
    if args.props.get("content") == "2":
        report("two is not allowed")

def rare(args, report):
    if args.resource_type == "banksman:files:File":
        report("think twice")

PolicyPack("house", policies=[
    ResourceValidationPolicy("no-two", "No two.", two, EnforcementLevel.MANDATORY),
    ResourceValidationPolicy("rare", "Files are rare.", rare, EnforcementLevel.ADVISORY),
])
"""


def test_policy_packs_warn_in_the_plan_and_refuse_by_name(stack: Stack, tmp_path: Path) -> None:
    if not (stack.tools.path / "pulumi-analyzer-policy-python").exists():
        pytest.skip("the program that runs policy packs is not in the module cache of Go")
    pack = tmp_path / "pack"
    pack.mkdir()
    options = {"name": "python", "options": {"virtualenv": str(stack.tools.python)}}
    (pack / "PulumiPolicy.yaml").write_text(json.dumps({"runtime": options}))
    (pack / "__main__.py").write_text(PACK)
    stack.configure("first", "3")
    plan = planned(stack.preview(f"--policy-pack={pack}").must())
    assert plan.policy_packs == {"house": "0.0.1"}
    assert {(one.policy, one.level) for one in plan.findings} == {("rare", "advisory")}
    assert "Policy packs: house 0.0.1; 3 warnings" in short_lines(plan)
    stack.configure("first", "2")
    with pytest.raises(PlanImpossible, match=r"the policy 'no-two' of 'house' refuses 'urn:.*::first' \(1 violations"):
        planned(stack.preview(f"--policy-pack={pack}"))


def change(kind: ChangeKind, **more: object) -> ResourceChange:
    return ResourceChange.model_validate({"urn": "u", "type": "t", "name": "n", "change": kind, "op": "x", **more})


@pytest.mark.parametrize(
    ("changes", "risk"),
    [
        ([change(ChangeKind.CREATE, stateful="data"), change(ChangeKind.UPDATE, stateful="data")], Risk.LOW),
        ([change(ChangeKind.DELETE)], Risk.MEDIUM),
        ([change(ChangeKind.REPLACE)], Risk.MEDIUM),
        ([change(ChangeKind.DELETE, stateful="data")], Risk.HIGH),
        ([change(ChangeKind.REPLACE, stateful="data")], Risk.HIGH),
        ([change(ChangeKind.DELETE, stateful="data", kept_outside=True)], Risk.LOW),
        ([change(ChangeKind.OTHER)], Risk.HIGH),
    ],
)
def test_risk(changes: list[ResourceChange], risk: Risk) -> None:
    plan = StackPlan(project="p", stack="s", commit="c", changes=tuple(changes))
    assert risk_of(plan) is risk


def test_cost_is_told_where_it_is_known_and_said_to_be_unknown_where_not(stack: Stack) -> None:
    stack.configure("path", "elsewhere.txt")
    stack.write(PROGRAM + 'file("big", "x")\n')
    file = {"types": ("banksman:files:File",), "source": "of this test alone", "as_of": date(2026, 11, 21)}
    prices = Prices(
        currency="usd",
        prices=(
            Price.model_validate({**file, "where": {"path": "big.txt"}, "monthly_cents": 1250}),
            Price.model_validate({**file, "where": {"path": "first.txt"}, "monthly_cents": 400}),
            Price.model_validate({**file, "where": {"path": "elsewhere.txt"}, "monthly_cents": 100}),
        ),
    )
    log = read_events(stack.preview().must().events)
    plan = stack_plan(log, commit=COMMIT, knowledge=KNOWLEDGE.model_copy(update={"prices": prices}))
    assert (plan.cost.adds_usd_cents, plan.cost.saves_usd_cents, plan.cost.known) == (1250, 300, True)
    assert "Costs 12.50 USD a month more and 3.00 USD a month less" in short_lines(plan)
    fewer = prices.model_copy(update={"prices": prices.prices[1:]})
    unknown = stack_plan(log, commit=COMMIT, knowledge=KNOWLEDGE.model_copy(update={"prices": fewer}))
    assert unknown.cost.unknown == ("big",)
    assert "no price known for 1: big" in "\n".join(short_lines(unknown))
    assert approval_plan(unknown, parameters(unknown)).cost is None


def test_a_database_is_deleted_before_it_is_made_again_when_its_name_stays() -> None:
    began = {"sequence": 1, "timestamp": 1}
    urn = "urn:pulumi:dev::shop::banksman:postgres:Database::db"
    about = {"urn": urn, "type": "banksman:postgres:Database", "old": {"id": "db"}, "new": {}}
    ops = ("delete-replaced", "replace", "create-replacement")
    lines = [
        {**began, "resourcePreEvent": {"metadata": {**about, "op": op, "keys": ["locale"]}, "planning": True}}
        for op in ops
    ]
    ends = [{**began, "summaryEvent": {"isPreview": True}}, {**began, "cancelEvent": {}}]
    log = read_events("\n".join(map(json.dumps, [*lines, *ends])).encode())
    plan = stack_plan(log, commit=COMMIT, knowledge=KNOWLEDGE)
    assert plan.changes[0].deleted_first
    assert "the old one is deleted first" in short_lines(plan)[-1]


def test_a_strange_operation_is_shown_by_its_name() -> None:
    body = {"metadata": {"op": "teleport", "urn": "urn:pulumi:dev::shop::a:b:C::n", "type": "a:b:C"}, "planning": True}
    began = {"sequence": 1, "timestamp": 1}
    lines = [
        {**began, "resourcePreEvent": body},
        {**began, "summaryEvent": {"isPreview": True}},
        {**began, "cancelEvent": {}},
    ]
    plan = stack_plan(read_events("\n".join(map(json.dumps, lines)).encode()), commit=COMMIT, knowledge=KNOWLEDGE)
    assert short_lines(plan)[-1] == "! other a:b:C n (Pulumi calls it 'teleport')"
    assert risk_of(plan) is Risk.HIGH


def test_an_empty_log_says_so() -> None:
    with pytest.raises(PlanImpossible):
        stack_plan(EventLog(), commit=COMMIT, knowledge=KNOWLEDGE)
