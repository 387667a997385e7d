"""One session on one commit, from its fetching to its close; begun anew, whole, where it was lost."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from activities.github.contracts import FETCH_REPOSITORY, FetchRepositoryRequest
from activities.guard.error_types import ErrorType, application_error
from activities.sandbox.contracts import Source
from activities.sandbox.session_contracts import CLOSE_SESSION, OPEN_SESSION, CloseSessionRequest, OpenSessionRequest
from sandbox.tools.rules import SessionRules
from workflows.coding.calling import SessionLost, TakesStep, WorkEnds
from workflows.goal import StepDenied

_SESSIONS: Final = 3
_SECONDS: Final = 3600
Result = TypeVar("Result")


async def in_session(
    step: TakesStep,
    work: Callable[[Source, str], Awaitable[Result]],
    *,
    repository: str,
    ref: str | None,
    rules: SessionRules,
) -> Result:
    """What came of the work. Nothing outside has changed by it, so that it may be begun anew.

    Args:
        step: Takes a step.
        work: Is done in the session of this name, on this commit; raises `SessionLost` where that is gone.
        repository: Whose commit.
        ref: Which; the default branch where None.
        rules: What the session may do; they narrow the deployment's.

    Raises:
        ApplicationError: So many sessions in a row were lost.
    """
    place = repository + (f" at {ref}" if ref else "")
    asked = FetchRepositoryRequest(repository=repository, ref=ref)
    fetched = await step(FETCH_REPOSITORY, asked, summary=f"Fetch {place}")
    source = Source(repository=repository, commit=fetched.commit, pack=fetched.pack)
    return await on_source(step, work, source, place=place, rules=rules)


async def on_source(  # noqa: PLR0913 - each is a fact of one session
    step: TakesStep,
    work: Callable[[Source, str], Awaitable[Result]],
    source: Source,
    *,
    place: str,
    rules: SessionRules,
    patch: str | None = None,
    libraries: str | None = None,
) -> Result:
    """The same on a commit that was fetched before.

    Args:
        step: Takes a step.
        work: Is done in the session of this name, on this commit; raises `SessionLost` where that is gone, and
            `WorkEnds` where it ends.
        source: The commit.
        place: What it is called.
        rules: What the session may do; they narrow the deployment's.
        patch: A change that is made first.
        libraries: Packages that are there, as an update fetched them.

    Raises:
        ApplicationError: So many sessions in a row were lost.
    """
    why = ""
    for _ in range(_SESSIONS):
        request = OpenSessionRequest(source=source, rules=rules, patch=patch, libraries=libraries, seconds=_SECONDS)
        opened = await step(OPEN_SESSION, request, summary=f"Open a session on {place}")
        try:
            result = await work(source, opened.session)
        except SessionLost as lost:
            why = str(lost)
            continue
        except (StepDenied, WorkEnds):
            await _close(step, source, opened.session)
            raise
        await _close(step, source, opened.session)
        return result
    raise application_error(ErrorType.SANDBOX_UNAVAILABLE, f"{_SESSIONS} sessions in a row were lost: {why}")


async def _close(step: TakesStep, source: Source, session: str) -> None:
    asked = CloseSessionRequest(session=session, repository=source.repository)
    await step(CLOSE_SESSION, asked, summary="Close the session")
