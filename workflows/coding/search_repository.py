"""The goal `SearchRepository`: lines of a repository's files that match, found in a session that changes nothing."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sandbox.contracts import Source
    from activities.sandbox.session_contracts import SEARCH_FILES, SearchFilesRequest
    from sandbox.tools.rules import SessionRules
    from workflows.coding.calling import SessionLost
    from workflows.coding.goals import SEARCH_REPOSITORY, LineFound, SearchRepositoryInput, SearchRepositoryResult
    from workflows.coding.session import in_session
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal

NOTHING: Final = SessionRules(write=(), run=())
"""Of what changes anything, or runs it."""


@goal(SEARCH_REPOSITORY)
class SearchRepositoryWorkflow(Goal):
    """Fetch a commit, open a session on it, search, close."""

    @workflow.init
    def __init__(self, request: SearchRepositoryInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: SearchRepositoryInput) -> SearchRepositoryResult:
        """Search; that nothing matches is a result."""
        return await self.run_goal(
            self._search(),
            denied=lambda reason: SearchRepositoryResult(
                outcome=State.DENIED, reason=reason, repository=request.repository
            ),
        )

    async def _search(self) -> SearchRepositoryResult:
        wanted = self._wanted
        return await in_session(self.step, self._found, repository=wanted.repository, ref=wanted.ref, rules=NOTHING)

    async def _found(self, source: Source, session: str) -> SearchRepositoryResult:
        wanted = self._wanted
        asked = SearchFilesRequest(
            session=session,
            repository=source.repository,
            pattern=wanted.pattern,
            fixed=wanted.fixed,
            any_case=wanted.any_case,
            paths=wanted.paths,
            most=wanted.most,
        )
        found = await self.step(SEARCH_FILES, asked, summary=f"Search for {wanted.pattern[:100]}")
        if found.lost:
            raise SessionLost(found.refused or "")
        return SearchRepositoryResult(
            outcome=State.REFUSED if found.refused else State.COMPLETED,
            reason=found.refused,
            repository=source.repository,
            commit=source.commit,
            lines=tuple(LineFound.model_validate(one.model_dump()) for one in found.hits),
            more=found.more,
        )
