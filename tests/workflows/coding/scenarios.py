"""The ways that goals can go that look into code and change it."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.github.contracts import FETCH_REPOSITORY, RepositoryFetched
from activities.github.review_contracts import ReviewCommentsRead, ThreadRead, WordsRead
from activities.guard.error_types import ErrorType, application_error
from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    LIST_FILES,
    OPEN_SESSION,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    ChangedFile,
    ChangesKept,
    Entry,
    FilesListed,
    FilesSearched,
    FileWritten,
    Hit,
    ProgramRun,
    SessionClosed,
    SessionOpened,
    TextRead,
)
from activities.sandbox.update_contracts import DependenciesAudited
from tests.workflows.agent.looking import Said, call, says
from tests.workflows.coding.coding import CodingHouse, change
from tests.workflows.coding.trees import LOST, TESTS
from tests.workflows.played import Answers, Played
from workflows.coding.goals import EDIT_REPOSITORY, SEARCH_REPOSITORY
from workflows.coding.job.goals import CODING_JOB

DIGEST = f"sha256:{'5' * 64}"
ANSWERS: Answers = {
    FETCH_REPOSITORY: [RepositoryFetched(commit="c" * 40, pack=f"sha256:{'2' * 64}", size=500)],
    OPEN_SESSION: [SessionOpened(session="s-1"), SessionOpened(session="s-2"), SessionOpened(session="s-3")],
    LIST_FILES: [FilesListed(entries=(Entry(path="docs", kind="folder"), Entry(path="README.md", kind="file")))],
    READ_TEXT: [TextRead(text="# Shop\n", lines=1, size=7)],
    SEARCH_FILES: [FilesSearched(hits=(Hit(path="README.md", line=1, text="# Shop"),), more=True)],
    WRITE_FILE: [FileWritten(made="created", size=7)],
    RUN_PROGRAM: [ProgramRun(exit_code=1, ended="exit", stdout="?? docs/hello.md\n", stderr="x" * 10_000)],
    KEEP_CHANGES: [
        ChangesKept(
            files=(ChangedFile(path="docs/hello.md", change="added", added=1, removed=0, size=7, content=DIGEST),),
            patch=DIGEST,
            patch_size=100,
            head="diff --git …",
            left_out=("'Jenkinsfile' is protected",),
        )
    ],
    CLOSE_SESSION: [SessionClosed()],
}
REFUSED = FileWritten(refused="'docs/hello.md' may not be written; allowed is src/**")
GONE = FileWritten(refused=LOST, lost=True)

SEARCHING: Answers = {step: ANSWERS[step] for step in (FETCH_REPOSITORY, OPEN_SESSION, SEARCH_FILES, CLOSE_SESSION)}


@dataclass(frozen=True, kw_only=True)
class JobPlayed(Played):
    """A coding job.

    Attributes:
        said: What the model says, turn by turn.
        asked: Other inputs than the usual ones.
        so: Makes the house as it is to be.
    """

    said: tuple[Said, ...]
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    so: Callable[[CodingHouse], None] = lambda _: None

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        """To its end, whichever that is."""
        with tempfile.TemporaryDirectory() as scratch:
            house = CodingHouse(client, Path(scratch), says(*self.said))
            self.so(house)
            async with house.workers():
                goal = await house.start(name=f"CodingJob/{self.name}", **self.asked)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal


def _job(name: str, *said: Said, **how: Any) -> JobPlayed:
    return JobPlayed(goal=CODING_JOB, name=name, answers={}, said=said, **how)


def _failing_without(house: CodingHouse) -> None:
    house.sandbox.runs = lambda tree: (0, "passed") if "*" in (tree / "src/basket.py").read_text() else (1, "failed")


def _losing(house: CodingHouse) -> None:
    house.sandbox.loses = [1]


def _denying(house: CodingHouse) -> None:
    house.github.denied = True


def _unaudited(house: CodingHouse) -> None:
    house.sandbox.audited = DependenciesAudited(refused="the audit could not run: nobody answered")


def _reviewing(house: CodingHouse) -> None:
    house.github.pull = {"head_branch": "banksman/quality-0123456789ab", "author": "banksman[bot]"}
    said = (WordsRead(author="alice", words="Say it shorter."),)
    house.github.said = ReviewCommentsRead(threads=(ThreadRead(id=5, path="src/basket.py", line=2, said=said),))


_GREETS = call("write_file", {"path": "docs/greeting.md", "content": "Say hello.\n"})
_WRONG = call("write_file", {"path": "src/basket.py", "content": "def total(prices):\n    return 4\n"})
_BETTER = call("write_file", {"path": "src/basket.py", "content": "def total(prices):\n    return sum([*prices])\n"})
_SKIPS = call("delete_file", {"path": "tests/test_basket.py"})
_TESTED: dict[str, Any] = {"kind": "quality", "test": TESTS}
_COMMENT = {"path": "src/basket.py", "line": 2, "first": None, "says": "Why?", "suggestion": None}
_UPDATE: dict[str, Any] = {"kind": "deps", "test": TESTS}
_REVIEW: dict[str, Any] = {"summary": "Hm.", "comments": [_COMMENT]}
JOBS = (
    _job("completed", _GREETS, change(), asked={"issue": 7}),
    _job("tested", _WRONG, change(), _BETTER, change(fails_without=True), asked=_TESTED, so=_failing_without),
    _job("refused-by-rules", _SKIPS, change(), asked={**_TESTED, "corrections": 1}),
    _job("refused-by-tests", _WRONG, change(), asked={**_TESTED, "corrections": 0}, so=_failing_without),
    _job("reviewed", call("read_file", {"path": "src/basket.py"}), _REVIEW, asked={"kind": "review", "pull": 3}),
    _job("session-lost", _GREETS, call("list_files", {}), _GREETS, change(), so=_losing),
    _job("denied", _GREETS, change(), so=_denying),
    _job("never-done", call("list_files", {}), asked={"turns": 2}),
    _job("no-model", application_error(ErrorType.QUOTA_EXHAUSTED, "the account has no credit left: add some")),
    _job("revised", _BETTER, change(), asked={**_TESTED, "pull": 3, "revise": True}, so=_reviewing),
    _job("deps", change(), asked=_UPDATE),
    _job("deps-not-audited", change(), asked=_UPDATE, so=_unaudited),
)

SCENARIOS = (
    *JOBS,
    Played(goal=EDIT_REPOSITORY, name="completed", answers=ANSWERS),
    Played(
        goal=EDIT_REPOSITORY,
        name="denied",
        answers={**ANSWERS, RUN_PROGRAM: [application_error(ErrorType.POLICY_DENIED, "no command is to be run")]},
    ),
    Played(goal=EDIT_REPOSITORY, name="refused", answers={**ANSWERS, WRITE_FILE: [REFUSED]}),
    Played(
        goal=EDIT_REPOSITORY,
        name="session-lost-and-begun-anew",
        answers={**ANSWERS, WRITE_FILE: [GONE, FileWritten(made="created", size=7)]},
    ),
    Played(goal=EDIT_REPOSITORY, name="three-sessions-lost", answers={**ANSWERS, WRITE_FILE: [GONE]}),
    *(
        Played(goal=SEARCH_REPOSITORY, name=name, answers={**SEARCHING, **answers})
        for name, answers in {
            "completed": {},
            "denied": {SEARCH_FILES: [application_error(ErrorType.POLICY_DENIED, "nothing is to be searched")]},
            "refused": {SEARCH_FILES: [FilesSearched(refused="'[' is no pattern that git grep takes")]},
            "session-lost-and-begun-anew": {
                SEARCH_FILES: [FilesSearched(refused=LOST, lost=True), *ANSWERS[SEARCH_FILES]]
            },
        }.items()
    ),
)
