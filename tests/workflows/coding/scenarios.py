"""The ways that goals can go that look into code and change it."""

from activities.github.contracts import FETCH_REPOSITORY, RepositoryFetched
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
from tests.workflows.played import Answers, Played
from workflows.coding.goals import EDIT_REPOSITORY, SEARCH_REPOSITORY

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
LOST = "the session is lost: its container ended; open another and begin again"
REFUSED = FileWritten(refused="'docs/hello.md' may not be written; allowed is src/**")
GONE = FileWritten(refused=LOST, lost=True)

SEARCHING: Answers = {step: ANSWERS[step] for step in (FETCH_REPOSITORY, OPEN_SESSION, SEARCH_FILES, CLOSE_SESSION)}

SCENARIOS = (
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
