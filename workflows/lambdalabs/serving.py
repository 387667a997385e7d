"""A machine that is to serve a language model: what the deployment has it boot, and who hears that it is there."""

import asyncio
import contextlib
import shlex

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.models.serving_contracts import FIND_SERVED, FindServed, ServedFound
    from hitl.hidden import visible
    from workflows.contracts import GoalInput
    from workflows.goal import Goal
    from workflows.lambdalabs.goals import LeaseGpuResult


class ServingGoal(Goal):
    """A goal whose machine may serve a model. Not a workflow by itself."""

    def __init__(self, request: GoalInput) -> None:
        super().__init__(request)
        self._serving = ServedFound()

    @property
    def serves(self) -> bool:
        """Whether it does."""
        return self._serving.boot is not None

    async def find_what_it_serves(self, backend: str | None) -> str:
        """Ask the models' file what a machine boots for a backend.

        Returns:
            Why there is nothing to boot; empty where there is, or where it is to serve nothing.
        """
        if backend is None:
            return ""
        self._serving = await self.step(
            FIND_SERVED, FindServed(backend=backend), summary=f"Look what may serve {backend}"
        )
        return visible(self._serving.why)

    async def tell_who_serves(self, result: LeaseGpuResult) -> None:
        """The goal that has this machine serve a model hears that it is there."""
        parent = workflow.info().parent
        if self.serves and parent is not None:
            handle = workflow.get_external_workflow_handle(parent.workflow_id)
            with contextlib.suppress(ApplicationError):
                await asyncio.shield(handle.signal("gpu_said", result))

    def says_what_it_serves(self) -> tuple[str, ...]:
        """For those who approve it."""
        if (boot := self._serving.boot) is None:
            return ()
        runs = visible(shlex.join(boot.run))
        return (f"It serves the backend {boot.name} of language models by `{runs}`, and dials {boot.relay}",)
