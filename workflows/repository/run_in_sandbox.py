"""The goal `RunInSandbox`: one command on one commit of a repository, in a container with nothing worth taking."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import FETCH_REPOSITORY, FetchRepositoryRequest
    from activities.sandbox.contracts import RUN_COMMAND, RunCommandRequest, Source
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.repository.goals import (
        LONGEST_COMMAND,
        RUN_IN_SANDBOX,
        Connected,
        Downloaded,
        RunInSandboxInput,
        RunInSandboxResult,
    )


@goal(RUN_IN_SANDBOX)
class RunInSandboxWorkflow(Goal):
    """Fetch a commit with a token that the command never sees, and run the command where there is no token."""

    @workflow.init
    def __init__(self, request: RunInSandboxInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: RunInSandboxInput) -> RunInSandboxResult:
        """Run the command; one that fails is a result, and so is a refusal by the guard."""
        return await self.run_goal(
            self._run(),
            denied=lambda reason: RunInSandboxResult(
                outcome=State.DENIED, reason=reason, repository=request.repository
            ),
        )

    async def _run(self) -> RunInSandboxResult:
        wanted = self._wanted
        fetched = await self.step(
            FETCH_REPOSITORY,
            FetchRepositoryRequest(repository=wanted.repository, ref=wanted.ref),
            summary=f"Fetch {wanted.place()}",
        )
        ran = await self.run_command(
            RUN_COMMAND,
            RunCommandRequest(
                command=wanted.command,
                source=Source(repository=wanted.repository, commit=fetched.commit, pack=fetched.pack),
                purpose=wanted.purpose,
                timeout_seconds=wanted.timeout_seconds,
            ),
            command=timedelta(seconds=wanted.timeout_seconds),
            summary=wanted.summary(),
        )
        return RunInSandboxResult(
            reason=_out_of_time(wanted.timeout_seconds) if ran.ended == "timeout" else None,
            repository=wanted.repository,
            commit=fetched.commit,
            exit_code=ran.exit_code,
            ended=ran.ended,
            oom_seen=ran.oom_seen,
            stdout=ran.stdout,
            stderr=ran.stderr,
            truncated=ran.truncated,
            seconds=ran.seconds,
            connections=tuple(Connected.model_validate(dict(one)) for one in ran.connections),
            downloads=tuple(Downloaded.model_validate(dict(one)) for one in ran.downloads),
        )


def _out_of_time(seconds: int) -> str:
    ended = f"The command did not end within its {seconds} seconds, so it was stopped"
    if seconds == LONGEST_COMMAND:
        return f"{ended}: mend it, or run it in parts; 'timeout_seconds' cannot be more."
    return f"{ended}: mend it, or raise 'timeout_seconds' in the goal's input, {LONGEST_COMMAND} at most."
