"""What a deployment does before it asks: test the commit and plan each stack, side by side."""

import asyncio
import shlex
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import READ_HISTORY, Deployment, StackLook, StackPreviewed
    from activities.pulumi.place import StackPlace
    from activities.sandbox.contracts import RUN_COMMAND, CommandLimits, CommandRun, RunCommandRequest
    from hitl.approval.plan import Plan
    from hitl.hidden import unhidden
    from workflows.contracts import State
    from workflows.deploy_feature.feature import Feature, Stopped
    from workflows.deploy_feature.goals import ArtifactTold, EnvironmentTold
    from workflows.deploy_feature.migrations import Migrations, MigrationWork
    from workflows.deploy_feature.providing import Providing
    from workflows.deploy_feature.timeline import Begun, Timeline
    from workflows.manifest.commands import Command
    from workflows.manifest.manifest import InfrastructureRollback, Pulumi
    from workflows.manifest.words import seconds
    from workflows.pulumi.access import StackAccess
    from workflows.pulumi.change import NothingToDo, StackChange
    from workflows.pulumi.goal import StacksGoal
    from workflows.pulumi.goals import StackAsked

Value = TypeVar("Value")
_IN_DIRECTORY: Final = 'cd "$1"; shift; exec "$@"'
_SHOWN: Final = 400
_IN_ONE_TURN: Final = "deploy-feature/plans-in-one-turn"
"""The patch: runs that began without it gave a stack back between its preview and the look at its deployments."""
_MOST_KEPT: Final = 100
"""Artifacts that a result names of one command."""


@dataclass(kw_only=True)
class StackWork:
    """One environment's stack: what was planned, and what came of it.

    Attributes:
        plan: Its step in the plan that people are asked about; None where there is nothing to do.
        back: The deployment that it goes back to; None where there is none to go back to.
        told: For the result.
        outputs: The stack's, as far as they are known.
        migration: What goes before its update; None where no schema is changed then.
    """

    access: StackAccess
    change: StackChange
    told: EnvironmentTold
    plan: Plan | None = None
    back: Deployment | None = None
    outputs: dict[str, str] | None = None
    migration: MigrationWork | None = None

    @property
    def environment(self) -> str:
        """By the manifest's name."""
        return self.told.name

    @property
    def name(self) -> str:
        """For people."""
        return self.environment

    @property
    def previewed(self) -> StackPreviewed:
        """What the preview said."""
        return self.change.previewed

    def tell(self, **update: object) -> None:
        """Something is known by now, for the result."""
        self.told = self.told.model_copy(update=update)


class Preparing:
    """Tests and previews of one goal.

    Args:
        goal: Takes the steps.
        timeline: Shows them.
        providing: Has what the service needs.
        migrations: Tries those.
    """

    def __init__(self, goal: StacksGoal, timeline: Timeline, providing: Providing, migrations: Migrations) -> None:
        self._goal: StacksGoal = goal
        self._timeline = timeline
        self._providing = providing
        self._migrations = migrations
        self._tested: set[str] = set()
        self.artifacts: tuple[ArtifactTold, ...] = ()
        """What the commands left that ran last."""

    async def prepare(self, feature: Feature) -> tuple[StackWork, ...]:
        """Run the commands, and plan all stacks one after another beside them; a commit that passed is not run again.

        Beside the commands what the service needs is had first; then migrations are tried on copies, beside the plans.

        Raises:
            Stopped: A command or a migration failed.
            StepDenied: The guard refused something.
            ApplicationError: A stack cannot be planned.
        """
        failed, planned = await side_by_side(self._commands(feature), self._planned(feature))
        if failed is not None:
            raise Stopped(State.REFUSED, failed)
        stacks, migrations = planned
        for work in stacks:
            work.migration = next((one for one in migrations if one.environment == work.environment), None)
        return stacks

    async def _planned(self, feature: Feature) -> tuple[tuple[StackWork, ...], tuple[MigrationWork, ...]]:
        await self._providing.provide(feature)
        return await side_by_side(self._stacks(feature), self._migrations.prepare(feature))

    def stack(self, feature: Feature, pulumi: Pulumi, environment: str, *, commit: str | None = None) -> StackWork:
        """An environment's stack, not looked at yet: at the feature's commit, or at another."""
        place = StackPlace(
            repository=feature.source.repository, folder=pulumi.directory or ".", stack=pulumi.stacks[environment]
        )
        asked = StackAsked(place=place, ref=commit or feature.commit, moves=False)
        access = StackAccess(self._goal, asked, queueing=self._goal.queueing)
        # Each look is taken while the goal still holds the stack, by `confirm`.
        change = StackChange(access, confirmed=lambda: True)
        return StackWork(access=access, change=change, told=EnvironmentTold(name=environment, stack=place.stack))

    async def _commands(self, feature: Feature) -> str | None:
        """Why it cannot go on; None where all passed."""
        if feature.commit in self._tested:
            return None
        self.artifacts = ()
        for name, command in (("tests", feature.manifest.test), ("build", feature.manifest.build)):
            if command is not None:
                with self._timeline.step(name) as step:
                    if (why := await self._run(feature, name, command, step)) is not None:
                        return why
        self._tested.add(feature.commit)
        return None

    async def _run(self, feature: Feature, name: str, command: Command, step: Begun) -> str | None:
        argv, limit = command.command, seconds(command.limits.time)
        if command.directory is not None:
            argv = ("sh", "-euc", _IN_DIRECTORY, "sh", command.directory, *argv)
        ran = await self._goal.run_command(
            RUN_COMMAND,
            RunCommandRequest(
                command=argv,
                source=feature.source,
                purpose=command.purpose,
                timeout_seconds=float(limit),
                limits=_limits(command),
                artifacts=command.artifacts,
            ),
            command=timedelta(seconds=limit),
            summary=f"Run {name} at {feature.commit[:12]}",
        )
        self._keep(name, ran)
        if ran.ended == "exit" and ran.exit_code == 0:
            if not (missing := _missing(command, ran)):
                return None
            step.failed(why := f"it left nothing that can be kept of {', '.join(missing)}")
        else:
            step.failed(why := _why(command, ran))
        return f"{name} of {feature.commit[:12]} failed: {why}. Nothing was changed"

    def _keep(self, name: str, ran: CommandRun) -> None:
        kept = (ArtifactTold(command=name, **one.model_dump()) for one in ran.artifacts[:_MOST_KEPT])
        self.artifacts = (*self.artifacts, *kept)

    async def _stacks(self, feature: Feature) -> tuple[StackWork, ...]:
        """In order, for a program's previews share a folder; none is skipped, so that people see all of them."""
        pulumi = feature.manifest.pulumi
        if pulumi is None:
            raise RuntimeError("a manifest without stacks was not refused")
        works = tuple(self.stack(feature, pulumi, one) for one in feature.environments)
        back = feature.manifest.rollback.infrastructure is InfrastructureRollback.PREVIOUS
        for work in works:
            with self._timeline.step(f"preview {work.environment}"):
                await self._preview(work, back=back)
        return works

    async def _preview(self, work: StackWork, *, back: bool) -> None:
        async def look_back() -> None:
            if back and work.previewed.plan is not None and work.previewed.deployed:
                work.back = await self._deployment_now(work)

        in_one_turn = workflow.patched(_IN_ONE_TURN)
        try:
            work.plan = await work.change.plan(then=look_back if in_one_turn else None)
        except NothingToDo:
            work.plan = None
        planned = work.previewed.headline or "nothing to do"
        work.tell(planned=unhidden(planned), state_before=work.previewed.exported)
        if not in_one_turn and back and work.plan is not None and work.previewed.deployed:
            async with work.access.holding():
                work.back = await self._deployment_now(work)

    async def _deployment_now(self, work: StackWork) -> Deployment | None:
        """The one that it goes back to; the goal has the stack."""
        history = await work.access.inspect(READ_HISTORY, StackLook, summary=f"Read deployments of {work.access.name}")
        return previous(history.deployments)


def previous(deployments: Sequence[Deployment]) -> Deployment | None:
    """The deployment that a stack is as now, and goes back to: the newest update that succeeded. None without one.

    One whose program nobody knows is none: what is older is not what was there.
    """
    newest = next((one for one in deployments if one.kind == "update" and one.result == "succeeded"), None)
    return newest if newest is not None and newest.commit is not None else None


async def side_by_side(one: Awaitable[Value], other: Awaitable[Any]) -> tuple[Value, Any]:
    """Do both at once, to the end of both; then raise what the first of them met.

    Whatever one of them holds is given back before the goal goes on, whichever fails.
    """
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    for found in (first, second):
        if isinstance(found, BaseException):
            raise found
    return first, second  # pyright: ignore[reportReturnType] - no exception is left


def _limits(command: Command) -> CommandLimits | None:
    """What the manifest asks; the deployment's own hold where it says nothing but the time."""
    if not command.limits.model_fields_set - {"time"}:
        return None
    asked = command.limits.for_sandbox()
    return CommandLimits(
        memory_bytes=asked.memory_bytes,
        workspace_bytes=asked.workspace_bytes,
        tmp_bytes=asked.tmp_bytes,
        cpus=asked.cpus,
    )


def _missing(command: Command, ran: CommandRun) -> tuple[str, ...]:
    """Each that was to be kept and is not, with why where somebody says so."""
    kept = [one.path for one in ran.artifacts]
    gone = [one for one in command.artifacts if not any(path == one or path.startswith(f"{one}/") for path in kept)]
    said = {one.partition(":")[0]: one for one in ran.not_kept}
    return tuple(unhidden(said.get(one, one)) for one in gone)


def _why(command: Command, ran: CommandRun) -> str:
    line = shlex.join(command.command)
    told = line if len(line) <= _SHOWN // 4 else f"{line[: _SHOWN // 4]}…"
    if ran.ended == "timeout":
        return f"`{unhidden(told)}` did not end within {command.limits.time}"
    how = "ran out of memory" if ran.oom_seen else f"ended with {ran.exit_code}"
    last = " | ".join((ran.stderr.strip() or ran.stdout.strip()).splitlines()[-5:])[-_SHOWN:]
    return unhidden(f"`{told}` {how}" + (f": {last}" if last else ""))
