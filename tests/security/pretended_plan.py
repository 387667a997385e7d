"""Workflows that start a goal as their child: the executor of plans, and one of somebody's own."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.queues import TaskQueue
    from tests.workflows.approval.approving import RemoveInput
    from workflows.agent.goals import AskForInput, RunPlanInput
    from workflows.fleet.goals import RunFleetInput, SoFar
    from workflows.github.job_contracts import GitHubJobInput


async def _starts_a_goal() -> None:
    await workflow.start_child_workflow(
        "TestRemove", RemoveInput(), id=f"{workflow.info().workflow_id}/act/gone", task_queue=TaskQueue.GOALS
    )
    await workflow.wait_condition(lambda: False)


async def _starts_a_plan() -> None:
    await workflow.start_child_workflow(
        "RunPlan", RunPlanInput(plan={}), id=f"{workflow.info().workflow_id}/plan", task_queue=TaskQueue.GOALS
    )
    await workflow.wait_condition(lambda: False)


@workflow.defn(name="RunPlan")
class PlanWorkflow:
    """As the executor starts the goals of a plan."""

    @workflow.run
    async def run(self, request: RunPlanInput) -> None:
        del request
        await _starts_a_goal()


@workflow.defn(name="AskFor")
class AskWorkflow:
    """As a plan is started that somebody asked for in words."""

    @workflow.run
    async def run(self, request: AskForInput) -> None:
        del request
        await _starts_a_plan()


@workflow.defn(name="GitHubJob")
class JobWorkflow:
    """As a job starts the goal that was asked for on GitHub."""

    @workflow.run
    async def run(self, request: GitHubJobInput) -> None:
        del request
        await _starts_a_goal()


@workflow.defn(name="RunFleet")
class FleetWorkflow:
    """As a fleet starts a goal, in the second of its runs."""

    @workflow.run
    async def run(self, request: RunFleetInput) -> None:
        if request.so_far is None:
            workflow.continue_as_new(request.model_copy(update={"so_far": SoFar(ends=())}))
        await _starts_a_goal()


@workflow.defn(name="TestOtherJob")
class OtherJobWorkflow:
    """Not one of ours, and it starts a goal from the same input."""

    @workflow.run
    async def run(self, request: GitHubJobInput) -> None:
        del request
        await _starts_a_goal()


@workflow.defn(name="TestOtherAsking")
class OtherAskingWorkflow:
    """Not one of ours, and it starts a plan."""

    @workflow.run
    async def run(self, request: AskForInput) -> None:
        del request
        await _starts_a_plan()


@workflow.defn(name="TestOtherParent")
class OtherParentWorkflow:
    """Not one of ours: whoever reaches Temporal can start a goal as a child of theirs."""

    @workflow.run
    async def run(self, request: RunPlanInput) -> None:
        del request
        await _starts_a_goal()
