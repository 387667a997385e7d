"""What people say to a deployment under way, by its updates: pause, skip, abort. Each is kept in the record.

Nothing that they say gives it more power than it had: what is left out, and what stops, is done less.
"""

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from workflows.deploy_feature.goals import SKIPPABLE, Abort, Mark, Pause, Skip, StepTold
    from workflows.deploy_feature.timeline import Timeline


class Aborted(Exception):
    """Somebody had it stopped; the text says who and why."""


class Control:
    """What people want of one deployment.

    Args:
        timeline: Keeps what they said.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.pausing: Pause | None = None
        self.aborting: Abort | None = None
        self.stuck = False
        """Whether taking back has failed, so that somebody has to say what is done about it."""
        self._undoing = False

    @property
    def aborted(self) -> bool:
        """Whether it is to stop."""
        return self.aborting is not None and not self._undoing

    def begin_undoing(self) -> None:
        """From now on it takes back what it did, which is not stopped half way."""
        self._undoing, self.aborting, self.pausing = True, None, None

    def may_pause(self) -> None:
        """Raises `ApplicationError` where it is paused, or stops, already."""
        if self.pausing is not None:
            raise _refused(f"{self.pausing.person} has paused it already: `resume` lets it go on")
        self._may_stop("pause")

    def pause(self, told: Pause) -> None:
        """Stop before the next step."""
        self.pausing = told
        self._timeline.note(f"paused by {told.person}: {told.reason}")

    def may_abort(self) -> None:
        """Raises `ApplicationError` where it stops already."""
        self._may_stop("abort")

    def abort(self, told: Abort) -> None:
        """Stop, and take back what was done."""
        self.aborting = told
        self._timeline.note(f"aborted by {told.person}: {told.reason}")

    def may_skip(self, told: Skip) -> None:
        """Raises `ApplicationError` where this step keeps people safe, or it is too late."""
        if told.step not in SKIPPABLE:
            raise _refused(f"{told.step!r} is not left out; these are: {', '.join(SKIPPABLE)}. `abort` stops all of it")
        if self._timeline.is_begun(told.step):
            raise _refused(f"{told.step!r} was begun already, or left out: look at `status`")

    def skip(self, told: Skip) -> None:
        """Leave one step out."""
        why = f"left out by {told.person}: {told.reason}"
        self._timeline.put(StepTold(name=told.step, mark=Mark.SKIPPED, why=why))
        self._timeline.note(f"{told.step} {why}")

    def skips(self, name: str) -> bool:
        """Whether a step is left out."""
        return any(one.name == name and one.mark is Mark.SKIPPED for one in self._timeline.steps)

    def end_if_aborted(self) -> None:
        """Raises `Aborted` where somebody wants it to stop."""
        if self.aborting is not None and not self._undoing:
            raise Aborted(f"aborted by {self.aborting.person}: {self.aborting.reason}")

    async def between(self, parked: Callable[[str], None], resumed: Callable[[], bool]) -> None:
        """Before a step: wait as long as somebody has it paused.

        Args:
            parked: Shows that it waits, and for what.
            resumed: Whether somebody has let it go on.

        Raises:
            Aborted: Somebody wants it to stop.
        """
        if self.pausing is not None:
            parked(f"`resume`: {self.pausing.person} has paused it: {self.pausing.reason}")
            await workflow.wait_condition(lambda: resumed() or self.aborted)
            self.pausing = None
            self._timeline.note("goes on")
        self.end_if_aborted()

    def _may_stop(self, what: str) -> None:
        if self._undoing and not (self.stuck and what == "abort"):
            raise _refused(f"it takes back what it did, and that is not stopped half way: no `{what}` any more")
        if self.aborting is not None:
            raise _refused(f"{self.aborting.person} has had it stopped already")


def _refused(why: str) -> Exception:
    return application_error(ErrorType.INVALID_REQUEST, why)
