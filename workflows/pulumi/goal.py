"""What all goals on Pulumi stacks do: have a stack, hear of its lock, and show how far a step is."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import StackProgress
    from hitl.hidden import unhidden_lines
    from workflows.contracts import GoalInput, State
    from workflows.goal import Goal
    from workflows.pulumi.access import StackAccess
    from workflows.pulumi.goals import StackAsked
    from workflows.pulumi.lock import STACK_TURN, StackQueueing, StackTurn

_SHOWN: Final = 15


class StacksGoal(Goal):
    """The part that goals on any number of stacks share. Not a workflow by itself."""

    def __init__(self, request: GoalInput) -> None:
        super().__init__(request)
        self.queueing = StackQueueing(self._wait_for)

    @workflow.signal(name=STACK_TURN)
    def stack_turn(self, turn: StackTurn) -> None:
        """From a stack's lock: where this goal stands in its line. That it arrives says that the goal is there."""
        self.queueing.take_turn(turn)

    @workflow.signal
    def stack_progress(self, progress: StackProgress) -> None:
        """From a step: resource by resource, how far it is."""
        newest = progress.lines[-_SHOWN:]
        failed = f", {progress.failed} failed" if progress.failed else ""
        details = f"**Now:** {self._step}: {progress.done} done{failed}\n\n" + "\n\n".join(newest)
        workflow.set_current_details(unhidden_lines(details))
        self.progressed(f"{progress.done} done{failed}" + (f"; {newest[-1]}" if newest else ""))

    def progressed(self, line: str) -> None:
        """How far a step is, in one line; for goals that tell people elsewhere."""
        del line

    def _wait_for(self, what: str | None) -> None:
        self._waiting_for = what
        self._show(State.RUNNING, f"**Waiting** for {what}" if what else f"**Now:** {self._step}")


class StackGoal(StacksGoal):
    """The part that goals on one stack share. Not a workflow by itself."""

    def __init__(self, request: GoalInput, asked: StackAsked) -> None:
        super().__init__(request)
        self.stack = StackAccess(self, asked, queueing=self.queueing)
