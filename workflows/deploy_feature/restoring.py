"""Looks whether what was there before serves again, once a deployment was taken back.

It is looked for as the manifest of that earlier commit says: the feature's own may ask for what only the feature has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import READ_OUTPUTS, OutputsLook
    from workflows.deploy_feature.applying import Change
    from workflows.deploy_feature.feature import FeatureReader
    from workflows.deploy_feature.preparing import StackWork
    from workflows.deploy_feature.timeline import Timeline
    from workflows.deploy_feature.verifying import Verifying
    from workflows.goal import Goal, NotApproved, StepDenied
    from workflows.manifest.verify import Verify


@dataclass(frozen=True)
class _Unlooked(Exception):
    """Nobody can look, for this reason."""

    why: str


def back_and_not_well(changes: Sequence[Change]) -> list[StackWork]:
    """The environments that were taken back, and of which nobody has seen that they serve."""
    stacks = (one for one in changes if isinstance(one, StackWork))
    return [one for one in stacks if one.told.undone and not one.told.restored]


class Restoring:
    """The looks of one goal.

    Args:
        goal: Takes the steps.
        reader: Reads manifests.
        timeline: Shows them.
    """

    def __init__(self, goal: Goal, reader: FeatureReader, timeline: Timeline) -> None:
        self._reader = reader
        self._timeline = timeline
        # Taking back is not stopped half way, and neither is this.
        self._verifying = Verifying(goal, stops=lambda: False)

    async def ill(self, changes: Sequence[Change]) -> str:
        """Look at each environment that was taken back, the last one that was taken back last. Each `told` has it.

        Returns:
            What does not serve, and why; empty where all does. Where nobody can look, the record says so.
        """
        found = [await self._look(one) for one in back_and_not_well(changes)]
        return "; ".join(filter(None, found))

    async def _look(self, work: StackWork) -> str:
        try:
            verify, commit = await self._asked(work)
            with self._timeline.step(f"verify undo {work.environment}") as step:
                outputs = await self._outputs(work) if verify.output is not None else {}
                why = await self._verifying.verify(verify, work.environment, outputs)
                work.tell(restored=not why)
                if not why:
                    return ""
                told = f"{work.environment} is back at {commit[:12]} and not healthy: {why}"
                step.failed(told)
                return told
        except _Unlooked as unlooked:
            self._timeline.note(f"nobody looked whether {work.environment} serves as before: {unlooked.why}")
        except (StepDenied, ApplicationError) as error:
            work.tell(restored=False)
            return f"{work.environment} is taken back, and nobody could look whether it serves: {error}"
        return ""

    async def _asked(self, work: StackWork) -> tuple[Verify, str]:
        """How to look, and at which commit that is said."""
        commit = work.back.commit if work.back is not None else None
        if commit is None:
            raise _Unlooked("nobody knows the commit that it was deployed from")
        try:
            manifest = await self._reader.manifest_at(commit)
        except NotApproved as useless:
            raise _Unlooked(str(useless)) from useless
        if manifest.verify is None:
            raise _Unlooked(f"the manifest at {commit[:12]} has no `verify`")
        return manifest.verify, commit

    async def _outputs(self, work: StackWork) -> dict[str, str]:
        async with work.access.holding():
            summary = f"Read the state of {work.access.name}"
            return (await work.access.inspect(READ_OUTPUTS, OutputsLook, summary=summary)).outputs
