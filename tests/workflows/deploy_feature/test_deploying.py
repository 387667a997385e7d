"""A feature from its branch to production: by one approval, or not at all, or taken back."""

import pytest
from temporalio.worker import Replayer

from activities.guard.error_types import ErrorType, application_error
from activities.sandbox.contracts import ArtifactKept
from activities.verify.contracts import MetricSeen
from connectors.pulumi.outcome import Ended, UpOutcome
from hitl.approval.rehearsal import RehearsedEffect
from sandbox.spec import MIB
from tests.workflows.deploy_feature.deploying import (
    HEAD,
    MANIFEST,
    PULL,
    Make,
    World,
    marks,
)
from tests.workflows.scripted import RAN
from workflows.implementations import WORKFLOWS
from workflows.plugin import banksman_plugin
from workflows.pulumi.lock import StackLine

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def test_a_feature_is_tested_planned_approved_once_applied_verified_and_merged(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work(forgets=True):
        goal = await house.ask_for()
        plan = await house.approve(goal)
        result = await goal.result()
        history = await goal.fetch_history()
    assert (result.outcome, result.reason) == (
        "completed",
        "cccccccccccc is deployed to staging, production, and merged as 999999999999",
    )
    assert world.done == ["staging c", "live c", "merge c"]
    assert [one.action for one in plan.steps] == ["pulumi.update_stack"] * 2 + ["github.merge_pull_request"]
    assert (result.risk, result.merged, result.service) == ("R1", "9" * 40, "shop-web")
    told = [(one.name, one.stack, one.applied, one.verified, one.undone) for one in result.environments]
    assert told == [("staging", "staging", "yes", True, False), ("production", "live", "yes", True, False)]
    assert set(marks(result.steps).values()) == {"done"}
    await Replayer(workflows=WORKFLOWS, plugins=[banksman_plugin()]).replay_workflow(history)


async def test_the_plan_says_in_words_what_is_done_what_it_costs_and_how_it_is_taken_back(make: Make) -> None:
    house = make(World())
    async with house.at_work():
        goal = await house.ask_for()
        plan = await house.plan(await house.approval_of(goal))
        await goal.terminate()
    assert plan.summary == (
        "Deploy shop-web of acme/shop at cccccccccccc to staging, then production",
        "Risk R1: all of it can be taken back",
        "Code: #7 «A cart» by alice, into main by merge when all is healthy",
        "Tests: passed",
        "Infrastructure of staging: 1 to update",
        "Infrastructure of production: 1 to update",
        "Cost: 10.00 US dollars a month",
        "Reaches: 1 resources of infra/staging, 1 resources of infra/live, the branch main",
        "Healthy when: 1 pages and 0 numbers hold, within 5s of each update",
        "Way back of staging: deployment 4 at bbbbbbbbbbbb, planned and approved by itself then",
        "Way back of production: deployment 4 at bbbbbbbbbbbb, planned and approved by itself then",
    )


async def test_github_shows_how_it_goes_and_ends(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        await house.deployed()
    assert [(one.title.split(":")[0], one.conclusion) for one in world.checks] == [
        ("Deploying to staging, production", None),
        ("Waits for approval", None),
        ("Deployed", "success"),
    ]
    assert {one.commit for one in world.checks} == {HEAD}
    assert "✓ verify production" in world.checks[-1].summary
    assert [one.number for one in world.comments] == [PULL.number]
    comment = world.comments[0]
    assert comment.text.startswith("**Deployed: cccccccccccc is deployed")


async def test_the_probes_are_asked_below_what_the_stack_says_and_tests_run_in_their_folder(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        await house.deployed()
    assert set(world.urls) == {"https://staging.example.com/healthz", "https://live.example.com/healthz"}
    [ran] = world.commands
    assert ran.command[-3:] == ("web", "make", "test")


async def test_commands_have_the_limits_of_the_manifest_and_leave_what_is_to_be_kept(make: Make) -> None:
    world = World()
    limits = "limits: {memory_mib: 1024, disk_mib: 512, cpus: 2, time: 5m}"
    world.manifest = f"{MANIFEST}build: {{command: [make], artifacts: [dist, report.xml], {limits}}}\n"
    kept = [ArtifactKept(path=one, size=5, reference=f"sha256:{'7' * 64}") for one in ("dist/a.js", "report.xml")]
    world.ran = [RAN, RAN.model_copy(update={"artifacts": tuple(kept)})]
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    test, build = world.commands
    assert (test.limits, test.artifacts) == (None, ())
    assert build.limits is not None
    assert (build.limits.memory_bytes, build.limits.workspace_bytes) == (1024 * MIB, 512 * MIB)
    assert (build.limits.cpus, build.timeout_seconds, build.artifacts) == (2, 300, ("dist", "report.xml"))
    assert [(one.command, one.path) for one in result.artifacts] == [("build", "dist/a.js"), ("build", "report.xml")]


async def test_a_command_that_does_not_leave_what_is_to_be_kept_has_failed(make: Make) -> None:
    world = World()
    world.manifest = f"{MANIFEST}build: {{command: [make], artifacts: [dist]}}\n"
    world.ran = [RAN, RAN.model_copy(update={"not_kept": ("dist: missing",)})]
    result = await make(world).ended()
    assert (result.outcome, world.done) == ("refused", [])
    assert "build of cccccccccccc failed: it left nothing that can be kept of dist: missing" in str(result.reason)


async def test_the_plan_says_by_what_the_manifest_differs_from_that_of_the_base_and_how_many_files_change(
    make: Make,
) -> None:
    world = World()
    world.base = MANIFEST.replace("every: 1s", "every: 1s, contains: ok")
    world.pull = PULL.model_copy(update={"changed_files": 12})
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        plan = await house.plan(await house.approval_of(goal))
        await goal.terminate()
    assert plan.summary[2:6] == (
        "Code: #7 «A cart» by alice (12 files), into main by merge when all is healthy",
        "Manifest: 2 lines differ from main",
        "-     - {path: /healthz, every: 1s, contains: ok, for: 1s}",
        "+     - {path: /healthz, every: 1s, for: 1s}",
    )


async def test_a_feature_does_not_take_out_what_the_manifest_of_its_base_asks(make: Make) -> None:
    world = World()
    world.base = MANIFEST + "policy: {actions: [{deny: github.merge_pull_request, because: frozen}]}\n"
    result = await make(world).ended()
    assert (result.outcome, world.done) == ("denied", [])
    assert "banksman.yaml of main: policy.actions[0]" in str(result.reason)


@pytest.mark.parametrize("report", ["check", "comment"])
async def test_where_github_lets_nobody_write_it_is_deployed_all_the_same_and_says_so(make: Make, report: str) -> None:
    world = World()
    world.silent = {report}
    house = make(world)
    async with house.at_work():
        result = await house.deployed()
    silent = [one for one in result.record if report in one and "could not be written" in one]
    assert (result.outcome, bool(silent)) == ("completed", True)


async def test_a_branch_without_a_pull_request_is_deployed_and_nothing_is_merged(make: Make) -> None:
    world = World()
    world.pull = None
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    assert (result.outcome, result.merged, world.done) == ("completed", None, ["staging c"])
    assert world.comments == []


async def test_a_stack_that_is_as_it_should_be_is_no_step_and_is_verified(make: Make) -> None:
    world = World()
    world.unchanged = {"staging"}
    house = make(world)
    async with house.at_work():
        result = await house.deployed()
    assert world.done == ["live c", "merge c"]
    assert [(one.applied, one.verified) for one in result.environments] == [("no", True), ("yes", True)]


async def test_nobody_is_asked_where_nothing_is_to_be_done(make: Make) -> None:
    world = World()
    world.pull, world.unchanged = None, {"staging", "live"}
    result = await make(world).ended()
    assert (result.outcome, world.done) == ("completed", [])
    assert "nothing is to be merged" in str(result.reason)


async def test_tests_that_fail_end_it_with_what_they_said(make: Make) -> None:
    world = World()
    world.ran = [RAN.model_copy(update={"exit_code": 2, "stderr": "1 failed: test_cart"})]
    result = await make(world).ended()
    assert result.outcome == "refused"
    assert "`make test` ended with 2: 1 failed: test_cart" in str(result.reason)
    assert (world.done, marks(result.steps)["tests"]) == ([], "failed")
    assert (world.checks[-1].conclusion, "preview staging" in marks(result.steps)) == ("failure", True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("", "no banksman.yaml at cccccccccccc"),
        (MANIFEST + "x: 1\ny: 2\n", "banksman.yaml:13:1: x: unknown key 'x'"),
        (MANIFEST.replace("web}", "web, limits: {memory_mib: 1024}}", 1), "banksman.yaml"),
        (
            MANIFEST + "needs: {neon: [{name: orders, project: shop-quiet-moon-17281}]}\nmigrate: {command: [m]}\n",
            "needs.neon[0].database: is missing",
        ),
        (MANIFEST.split("pulumi:")[0], "pulumi: is missing"),
    ],
    ids=["none", "wrong", "misplaced", "needs", "no-stack"],
)
async def test_a_manifest_that_cannot_be_carried_out_whole_ends_it_before_anything(
    make: Make, changed: str, told: str
) -> None:
    world = World()
    world.manifest = changed
    result = await make(world).ended()
    assert (result.outcome, world.done, world.commands) == ("refused", [], [])
    assert told in "\n".join([str(result.reason), *result.mistakes])
    [check] = world.checks
    assert check.conclusion == "failure"
    assert all(line in check.summary for line in (one.replace("`", "'") for one in result.mistakes))


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("{phase: read_only}", "policy.phase: `read_only` lets nothing be deployed"),
        ("{actions: [{deny: 'sandbox.*'}]}", "policy.actions[0]: `deny: sandbox.*` means sandbox.run_command"),
    ],
)
async def test_what_a_manifest_asks_of_the_policy_where_nothing_holds_it_ends_it_as_denied(
    make: Make, policy: str, told: str
) -> None:
    world = World()
    world.manifest = f"{MANIFEST}policy: {policy}\n"
    result = await make(world).ended()
    assert (result.outcome, world.done, world.commands) == ("denied", [], [])
    assert told in str(result.mistakes)


async def test_a_manifest_that_wants_more_people_has_them_asked(make: Make) -> None:
    world = World()
    world.manifest = MANIFEST + "policy: {approvals: [{action: github.merge_pull_request, quorum: 3}]}\n"
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approve(goal)
        view = await house.view(await house.approval_of(goal))
        assert (view.state, world.done) == ("waiting", [])
        await house.decide(await house.approval_of(goal), "carol")
        result = await goal.result()
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])


async def test_a_manifest_that_denies_what_people_approve_ends_it_as_denied(make: Make) -> None:
    world = World()
    world.manifest = MANIFEST + "policy: {actions: [{deny: github.merge_pull_request, because: frozen}]}\n"
    result = await make(world).ended()
    assert (result.outcome, world.done) == ("denied", [])
    assert "banksman.yaml: policy.actions[0]" in str(result.reason)


async def test_an_environment_without_a_stack_is_named(make: Make) -> None:
    house = make(World())
    async with house.at_work():
        result = await (await house.ask_for(environments=["prod"])).result()
    assert (result.outcome, result.mistakes) == (
        "refused",
        ("pulumi.stacks: has no environment 'prod'; there is staging, production",),
    )


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"draft": True}, "is a draft"),
        ({"fork": True}, "comes from a fork"),
        ({"state": "closed"}, "is closed"),
        ({"mergeable": False}, "conflicts with main"),
    ],
)
async def test_a_pull_request_that_cannot_be_merged_is_not_deployed(
    make: Make, update: dict[str, object], told: str
) -> None:
    world = World()
    world.pull = PULL.model_copy(update=update)
    result = await make(world).ended(branch=None, pull_request=7)
    assert (result.outcome, world.done) == ("refused", [])
    assert told in str(result.reason)


@pytest.mark.parametrize(
    ("ended", "outcome", "done"),
    [
        (Ended.REFUSED, "refused", []),
        (Ended.PARTIALLY_APPLIED, "undone", ["staging c", "staging b"]),
        (Ended.UNKNOWN, "partially_applied", ["staging c"]),
    ],
)
async def test_an_update_that_is_not_carried_out_whole_ends_as_what_it_is(
    make: Make, ended: Ended, outcome: str, done: list[str]
) -> None:
    world = World()
    world.updates = [UpOutcome(ended=ended, errors=("it is in use",))]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approve(goal)
        if outcome == "undone":
            await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.done) == (outcome, done)
    assert "it is in use" in str(result.reason)
    assert result.merged is None


async def test_a_merge_that_fails_leaves_what_is_healthy_and_says_so(make: Make) -> None:
    world = World()
    world.merging = [application_error(ErrorType.CONFLICT, "the head is another one")]
    house = make(world)
    async with house.at_work():
        result = await house.deployed()
    assert (result.outcome, result.merged) == ("partially_applied", None)
    assert "healthy, and not merged: " in str(result.reason)
    assert "the head is another one" in str(result.reason)
    assert world.done == ["staging c", "live c"]


async def test_of_a_merge_that_nobody_could_look_at_it_is_not_said_that_it_was_not_done(make: Make) -> None:
    world = World()
    world.merging = [application_error(ErrorType.OUTCOME_UNKNOWN, "its answer was lost")]
    house = make(world)
    async with house.at_work():
        result = await house.deployed()
    assert (result.outcome, result.merged) == ("partially_applied", None)
    assert "healthy, and nobody can say whether it is merged: " in str(result.reason)
    assert "its answer was lost" in str(result.reason)


async def test_numbers_must_hold_too(make: Make) -> None:
    metrics = "  metrics:\n    - {name: errors, expression: rate, holds: '< 0.01', every: 1s, for: 1s}\nrollback"
    world = World()
    world.manifest = MANIFEST.replace("rollback", metrics)
    world.numbers = [MetricSeen(value=0.5)]
    world.history = ()
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    assert result.outcome == "partially_applied"
    assert "errors was not well for 0:00:01 in time: it is 0.5, and must be < 0.01" in str(result.reason)


async def test_a_number_that_nobody_asked_for_in_a_rehearsal_holds(make: Make) -> None:
    metrics = "  metrics:\n    - {name: errors, expression: rate, holds: '< 0.01', every: 1s, for: 1s}\nrollback"
    world = World()
    world.manifest = MANIFEST.replace("rollback", metrics)
    world.numbers = [MetricSeen(value=None, played=True)]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        result = await goal.result()
        effects = await goal.query("effects", result_type=tuple[RehearsedEffect, ...])
    assert result.outcome == "completed"
    told = {one.action for one in effects}
    assert {"github.check_run", "github.comment", "sandbox.run_command", "pulumi.preview_stack"} <= told


async def test_what_loses_data_is_of_the_highest_class(make: Make) -> None:
    world = World()
    world.losses = True
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        plan = await house.plan(await house.approval_of(goal))
        await goal.terminate()
    assert plan.summary[1] == (
        "Risk R3: something is lost that cannot be brought back, and the policy lets it go without a snapshot"
    )


async def test_what_loses_data_without_a_snapshot_is_denied_unless_the_policy_lets_it(make: Make) -> None:
    world = World()
    world.losses, world.waives = True, False
    result = await make(world).ended()
    assert (result.outcome, result.risk, world.done) == ("denied", "R3", [])
    assert "infra/staging may lose what cannot be brought back (1 to update), and no snapshot" in str(result.reason)
    assert "have the policy allow approval.waive_snapshot: no rule allows it" in str(result.reason)


async def test_two_features_of_one_service_queue_and_people_see_who_waits_for_whom(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        first = await house.ask_for()
        await house.approval_of(first)
        second = await house.ask_for(branch=None, pull_request=7)
        status = await house.until_waits(second)
        line = house.client.get_workflow_handle("service/acme/shop")
        seen = await line.query("line", result_type=StackLine)
        await house.approve(first)
        assert (await first.result()).outcome == "completed"
        result = await second.result()
    assert status.waiting_for == f"the service acme/shop, which {first.id} has"
    assert [one.workflow_id for one in seen.tickets] == [first.id, second.id]
    assert (result.outcome, result.reason) == ("refused", "#7 of acme/shop is merged: nothing was done")
    assert world.done == ["staging c", "live c", "merge c"]
