"""The goals worker of many deployments, killed again and again: at each step of an honest run, in it and after it.

Every run is held at its next step; when all are, the one process that runs them is killed. Half of the runs hear of the
answer in a new process. The answers of the others have arrived before there is one.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio.client import WorkflowExecutionStatus

from tests.workflows.approval.approving import eventually
from tests.workflows.deploy_feature.goals_process import GoalsProcess, Told
from tests.workflows.deploy_feature.matrix import Ended, Matrix
from tests.workflows.deploy_feature.mishaps import GOALS_AFTER, GOALS_IN, Mishap, Taken

_RUNS: Final = 6
_PATIENCE, _AGAIN = 120.0, 0.1


class GoalsKilled:
    """One round after the other, until all runs have ended.

    Args:
        matrix: Whose honest run, town and cells these are.
    """

    def __init__(self, matrix: Matrix) -> None:
        self._matrix, self._town = matrix, matrix.town
        self.kills = 0
        self._process: GoalsProcess | None = None

    async def run(self, steps: Sequence[Taken]) -> None:
        """Every step, both ways."""
        groups = [
            [Mishap(one, what) for one in steps[at::_RUNS]] for what in (GOALS_IN, GOALS_AFTER) for at in range(_RUNS)
        ]
        await self._start()
        runs = [asyncio.create_task(self._matrix.ended(group)) for group in groups]
        try:
            while left := [one for one in runs if not one.done()]:
                await self._until_held(left)
                await self._kill()
            for group, run in zip(groups, runs, strict=True):
                self._matrix.found.update({(one.at, one.what): run.result() for one in group})
        finally:
            if self._process is not None:
                await self._process.kill()

    async def _until_held(self, runs: Sequence["asyncio.Task[Ended]"]) -> None:
        """Wait until each of these runs is held, or has ended."""
        async with asyncio.timeout(_PATIENCE):
            while len(self._town.held) < sum(not one.done() for one in runs):  # noqa: ASYNC110 - two things may be so
                await asyncio.sleep(_AGAIN)

    async def _kill(self) -> None:
        """All that are held now lose their goals worker."""
        held = dict(self._town.held)
        self._town.held.clear()
        if not held or self._process is None:
            return
        await self._process.kill()
        self.kills += 1
        for cell, (mishap, release) in held.items():
            if mishap.what == GOALS_AFTER:
                release.set()
                await eventually(lambda cell=cell, at=mishap.at: self._arrived(cell, at))
        await self._start()
        for _, release in held.values():
            release.set()

    async def _arrived(self, cell: str, step: Taken) -> bool:
        """Whether the server has the answer, or nobody waits for it any more."""
        workflow = self._town.cells[cell].workflows[step]
        described = await self._town.client.get_workflow_handle(workflow).describe()
        pending = {one.activity_type.name for one in described.raw_description.pending_activities}
        return step.step not in pending or described.status != WorkflowExecutionStatus.RUNNING

    async def _start(self) -> None:
        town = self._town
        keys = {version: key.hex() for version, key in (await town.published_keys()).items()}
        told = Told(
            address=town.client.service_client.config.target_host,
            namespace=town.client.namespace,
            policy=town.path,
            cluster=town.cluster,
            keys=keys,
        )
        self._process = GoalsProcess(told, town.folder / "goals.log")
