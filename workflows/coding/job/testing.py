"""The tests of a job, each run in a container of its own, which the model was never in."""

from dataclasses import dataclass, field

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sandbox.contracts import Source
    from activities.sandbox.session_contracts import RUN_PROGRAM, RunProgramRequest
    from sandbox.tools.rules import SessionRules
    from workflows.coding.calling import JobRefused, SessionLost
    from workflows.coding.job.goals import CodingJobInput, TestsRun
    from workflows.coding.job.telling import MOST_TAIL, ended
    from workflows.coding.job.working import TakesSteps
    from workflows.coding.session import on_source


@dataclass
class FreshTests:
    """Runs them.

    Attributes:
        goal: Takes the steps.
        wanted: What was asked.
        libraries: Packages that are there, as an update fetched them.
        runs: How each went, in order.
    """

    goal: TakesSteps
    wanted: CodingJobInput
    libraries: str | None = None
    runs: list[TestsRun] = field(default_factory=list[TestsRun])

    async def against(self, source: Source, patch: str | None, *, fails_without: bool) -> TestsRun | None:
        """The run that speaks against the change; None where none does, or nobody says how to run any.

        Args:
            source: The commit.
            patch: The change.
            fails_without: Whether the model says that they fail without it, which is tried.

        Raises:
            JobRefused: They cannot be run here.
        """
        if not self.wanted.test:
            return None
        after = await self.run(source, patch)
        if not passed(after):
            return after
        if fails_without and passed(before := await self.run(source, None)):
            return before
        return None

    async def run(self, source: Source, patch: str | None) -> TestsRun:
        """How they go on a commit, with a change where one is given.

        Raises:
            JobRefused: They cannot be run here.
        """
        wanted = self.wanted

        async def run(_: Source, session: str) -> TestsRun:
            request = RunProgramRequest(
                session=session, repository=wanted.repository, command=wanted.test, seconds=wanted.test_seconds
            )
            ran = await self.goal.step(
                RUN_PROGRAM, request, summary=f"Run the tests {'with' if patch else 'without'} it"
            )
            if ran.lost:
                raise SessionLost(ran.refused or "")
            if ran.refused is not None:
                raise JobRefused(f"its tests cannot be run here: {ran.refused}. Nothing was changed.")
            tail = f"{ran.stdout}{ran.stderr}"[-MOST_TAIL:]
            return TestsRun(
                command=wanted.test, changed=patch is not None, exit_code=ran.exit_code, ended=ran.ended, tail=tail
            )

        rules = SessionRules(write=())
        done = await on_source(
            self.goal.step, run, source, place=wanted.repository, rules=rules, patch=patch, libraries=self.libraries
        )
        self.runs.append(done)
        return done


def why_refused(run: TestsRun) -> str:
    """What a run that speaks against the change says, in a few words."""
    return ended(run) if run.changed else "they pass without it as well, and the model said that they fail"


def passed(run: TestsRun) -> bool:
    """Whether they ran to their end, and none failed."""
    return run.ended == "exit" and run.exit_code == 0
