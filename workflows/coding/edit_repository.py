"""The goal `EditRepository`: tools on one commit of a repository, in one session of the sandbox."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sandbox.contracts import Source
    from activities.sandbox.session_contracts import KEEP_CHANGES, ChangesKept, KeepChangesRequest
    from sandbox.tools.rules import SessionRules
    from workflows.coding.calling import SessionLost, called
    from workflows.coding.goals import (
        EDIT_REPOSITORY,
        CallDone,
        EditRepositoryInput,
        EditRepositoryResult,
        FileChanged,
    )
    from workflows.coding.session import in_session
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal


@goal(EDIT_REPOSITORY)
class EditRepositoryWorkflow(Goal):
    """Fetch a commit, open a session on it, make the calls, keep the change, close."""

    @workflow.init
    def __init__(self, request: EditRepositoryInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: EditRepositoryInput) -> EditRepositoryResult:
        """Make the calls; a command that fails is a result, and so is a refusal, by the guard or by a tool."""
        return await self.run_goal(
            self._edit(),
            denied=lambda reason: EditRepositoryResult(
                outcome=State.DENIED, reason=reason, repository=request.repository
            ),
        )

    async def _edit(self) -> EditRepositoryResult:
        wanted = self._wanted
        rules = SessionRules(write=wanted.write)
        return await in_session(self.step, self._made, repository=wanted.repository, ref=wanted.ref, rules=rules)

    async def _made(self, source: Source, session: str) -> EditRepositoryResult:
        done: list[CallDone] = []
        for call in self._wanted.calls:
            done.append(await called(self.step, call, session=session, repository=source.repository))
            if done[-1].refused is not None:
                return self._refused(source, tuple(done))
        kept = await self.step(
            KEEP_CHANGES,
            KeepChangesRequest(session=session, repository=source.repository),
            summary="Keep what has changed",
        )
        if kept.lost:
            raise SessionLost(kept.refused or "")
        return self._completed(source, tuple(done), kept)

    def _refused(self, source: Source, done: tuple[CallDone, ...]) -> EditRepositoryResult:
        last, number, count = done[-1], len(done), len(self._wanted.calls)
        return EditRepositoryResult(
            outcome=State.REFUSED,
            reason=f"Call {number} of {count} ({last.tool}) was refused, so that nothing is kept: {last.refused}",
            repository=source.repository,
            commit=source.commit,
            calls=done,
        )

    def _completed(self, source: Source, done: tuple[CallDone, ...], kept: ChangesKept) -> EditRepositoryResult:
        refused = kept.refused
        return EditRepositoryResult(
            outcome=State.REFUSED if refused else State.COMPLETED,
            reason=f"The change was not kept: {refused}" if refused else None,
            repository=source.repository,
            commit=source.commit,
            calls=done,
            files=tuple(FileChanged.model_validate(one.model_dump()) for one in kept.files),
            left_out=kept.left_out,
            patch=kept.patch,
            diff=kept.head,
        )
