"""The goal `CodingJob`: a model changes or reviews code in a session; rules and tests judge it; people decide.

The model stays outside of the container, and what it says is data until a step has looked at it. Nothing outside
changes before the pull request, so that a killed worker, a lost session or a refusal leaves nothing half done.
"""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coding.contracts import (
        BRIEF_CODER,
        JUDGE_CHANGE,
        LOAD_CHANGE,
        READ_CHANGE,
        READ_REVIEW,
        BriefCoderRequest,
        ChangeRead,
        JudgeChangeRequest,
        LoadChangeRequest,
        ReadChangeRequest,
        ReadReviewRequest,
        ReviewRead,
    )
    from activities.coding.forms import CHANGE, REVIEW, REVISION
    from activities.github.asked_contracts import (
        LOOK_AT_REPOSITORY,
        READ_ISSUE,
        READ_PULL,
        REVIEW_PULL_REQUEST,
        IssueRead,
        LookAtRepositoryRequest,
        PullRead,
        ReadNumberedRequest,
        ReviewPullRequestRequest,
    )
    from activities.github.contracts import (
        COMMIT_FILES,
        FETCH_REPOSITORY,
        OPEN_PULL_REQUEST,
        CommitFilesRequest,
        FetchRepositoryRequest,
        FileToCommit,
        OpenPullRequestRequest,
    )
    from activities.models.contracts import FIND_MODELS, REQUEST, FindModelsRequest, ModelAnswered, RequestModel
    from activities.sandbox.contracts import Source
    from activities.sandbox.session_contracts import (
        KEEP_CHANGES,
        ChangesKept,
        KeepChangesRequest,
    )
    from connectors.models.raw import Use
    from hitl.hidden import visible
    from sandbox.gate.kinds import KINDS, Kind
    from sandbox.tools.rules import SessionRules
    from workflows.agent.inquiry import Inquiry, Talk, Turn
    from workflows.agent.tier import NoModel
    from workflows.coding.calling import JobRefused, SessionLost
    from workflows.coding.goals import FileChanged
    from workflows.coding.job.goals import CODING_JOB, CodingJobInput, CodingJobResult, TestsRun
    from workflows.coding.job.revising import Revision, why_not_revised
    from workflows.coding.job.telling import (
        ended,
        mistakes_told,
        pull_request_body,
        refused_by_rules,
        refused_by_tests,
        review_body,
    )
    from workflows.coding.job.testing import FreshTests, passed, why_refused
    from workflows.coding.job.tools import MOST_ARGUMENTS, offered, told
    from workflows.coding.job.working import Rounds
    from workflows.coding.session import on_source
    from workflows.coding.updates.telling import update_body
    from workflows.coding.updates.updating import Updating, title_of
    from workflows.contracts import Outcome, State
    from workflows.goal import Goal
    from workflows.goal_type import goal

_Given = TypeVar("_Given")
_MOST_TOKENS: Final = 16_000
_SHORT: Final = 1_000
_NOTHING: Final = "Nothing was changed"
_NOBODY: Final = (
    "the deployment's file has no model for this; an operator can add one to the routes `code` and `review`"
)
_NO_DEPS: Final = (
    "a job of the kind 'deps' cannot be had yet: its tools need a package registry, and a session has no network. "
    "Update them by hand, or run the tool by RunInSandbox with the purpose package-registries."
)
_UPDATES: Final = "updates-of-dependencies"
"""Since then, a job of the kind `deps` can be had."""
_UNTESTED: Final = "an update needs 'test': how its tests are run with the new versions. Nothing was changed."
_LOOKS_ONLY: Final = SessionRules(write=(), run=())
_NOT_CHANGED: Final = "Nothing differs from the commit. Make the change, or say in `nothing` why there is none to make."


@goal(CODING_JOB)
class CodingJobWorkflow(Goal):
    """Read what is asked, have a model work in a session, judge its change, test it anew, open a pull request."""

    @workflow.init
    def __init__(self, request: CodingJobInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = CodingJobResult(repository=request.repository, kind=request.kind)
        self._until = workflow.now() + timedelta(minutes=request.minutes)
        self._left = request.corrections
        self._revision: Revision | None = None

    @workflow.run
    async def run(self, request: CodingJobInput) -> CodingJobResult:
        """Work; that nothing passes is a result, and so is a refusal by the guard."""
        del request
        return await self.run_goal(self._run(), denied=lambda reason: self._ended(State.DENIED, reason))

    def _ended(self, outcome: Outcome, reason: str | None, **more: Any) -> CodingJobResult:
        return self._result.model_copy(update={"outcome": outcome, "reason": reason, **more})

    def _note(self, **more: Any) -> None:
        self._result = self._result.model_copy(update=more)

    async def _run(self) -> CodingJobResult:
        try:
            return await self._worked()
        except JobRefused as refused:
            return self._ended(State.REFUSED, str(refused))

    async def _worked(self) -> CodingJobResult:
        wanted = self._wanted
        if wanted.of_kind is Kind.DEPS:
            if not workflow.patched(_UPDATES):
                raise JobRefused(_NO_DEPS)
            if not wanted.test:
                raise JobRefused(_UNTESTED)
        seen = await self.step(
            LOOK_AT_REPOSITORY,
            LookAtRepositoryRequest(repository=wanted.repository),
            summary=f"Look at {wanted.repository}",
        )
        if seen.archived:
            raise JobRefused(f"{wanted.repository} is archived, and nobody can write to it. {_NOTHING}.")
        labels = ("repository", "private") if seen.private else ("repository",)
        issue, pull = await self._issue(), await self._pull()
        base = wanted.base or (pull.head_branch if pull is not None else seen.default_branch)
        if pull is not None and wanted.revise:
            self._revision = await Revision.read(self, wanted, pull)
            if self._revision.is_nothing:
                raise JobRefused(f"nobody said anything of #{pull.number} that waits for an answer. {_NOTHING}.")
        source = await self._fetched(pull.head if pull is not None else base)
        if wanted.of_kind is Kind.DEPS:
            return await self._updated(source, base)
        rounds = await self._begun(labels, issue, pull)
        if pull is not None and wanted.of_kind is Kind.REVIEW:
            return await self._reviewed(rounds, source, pull)
        return await self._changed(rounds, source, base)

    async def _issue(self) -> IssueRead | None:
        if self._wanted.issue is None:
            return None
        request = ReadNumberedRequest(repository=self._wanted.repository, number=self._wanted.issue)
        found = await self.step(READ_ISSUE, request, summary=f"Read {self._wanted.place}")
        if found.pull:
            raise JobRefused(f"#{found.number} is a pull request: name it in 'pull'. {_NOTHING}.")
        return found

    async def _pull(self) -> PullRead | None:
        if self._wanted.pull is None:
            return None
        request = ReadNumberedRequest(repository=self._wanted.repository, number=self._wanted.pull)
        found = await self.step(READ_PULL, request, summary=f"Read {self._wanted.place}")
        if found.state != "open":
            raise JobRefused(f"#{found.number} is {found.state}: open it again, or name another. {_NOTHING}.")
        if found.fork and self._wanted.of_kind is not Kind.REVIEW:
            raise JobRefused(
                f"#{found.number} comes from a fork, whose branch is somebody else's: it can only be reviewed. "
                f"{_NOTHING}."
            )
        if (why := why_not_revised(self._wanted, found)) is not None:
            raise JobRefused(f"{why}. {_NOTHING}.")
        return found

    async def _fetched(self, ref: str) -> Source:
        wanted = self._wanted
        asked = FetchRepositoryRequest(repository=wanted.repository, ref=ref)
        fetched = await self.step(FETCH_REPOSITORY, asked, summary=f"Fetch {wanted.repository} at {ref}")
        self._note(commit=fetched.commit)
        return Source(repository=wanted.repository, commit=fetched.commit, pack=fetched.pack)

    async def _begun(self, labels: tuple[str, ...], issue: IssueRead | None, pull: PullRead | None) -> Rounds:
        """The conversation, with what the model is told first."""
        wanted, reviews = self._wanted, self._wanted.of_kind is Kind.REVIEW
        use = Use.REVIEW if reviews else Use.CODE
        said, revision = issue or pull, self._revision
        brief = await self.step(
            BRIEF_CODER,
            BriefCoderRequest(
                repository=wanted.repository,
                kind=wanted.of_kind,
                asked=wanted.text or f"Do what {wanted.place} says." if revision is None else _taking_up(wanted),
                place=wanted.place,
                title=said.title if said is not None else "",
                words=said.words if said is not None else "",
                diff=pull.diff if pull is not None and (reviews or revision) else None,
                write=wanted.write,
                test=wanted.test,
                most_comments=wanted.comments,
                revises=revision is not None,
                threads=revision.said.threads if revision else (),
                reviews=revision.said.reviews if revision else (),
            ),
            summary="Write down what a model is told",
        )
        found = await self.step(FIND_MODELS, FindModelsRequest(use=use, labels=labels), summary="Find who can do it")
        talk = Talk(
            labels=labels,
            use=use,
            output=REVIEW if reviews else CHANGE if revision is None else REVISION,
            max_tokens=_MOST_TOKENS,
            most_arguments=MOST_ARGUMENTS,
            nobody=_NOBODY,
        )
        tools = offered(changes=not reviews)
        inquiry = Inquiry(found, brief, told(tools), self._ask, talk)
        return Rounds(
            goal=self,
            inquiry=inquiry,
            tools=tools,
            turns=wanted.turns,
            ends=lambda: workflow.now() >= self._until,
            noted=lambda turn: self._noted(inquiry, turn),
        )

    async def _ask(self, request: RequestModel, summary: str) -> ModelAnswered:
        self.begin(summary)
        return await self.attempt(REQUEST, request, summary=summary)

    def _noted(self, inquiry: Inquiry, turn: Turn) -> None:
        said, spent, counted = turn.answered, inquiry.spending, turn.answered.answer.tokens
        self._note(
            backend=said.backend,
            model=said.model,
            prompt=said.instructions,
            turns=self._result.turns + 1,
            calls=self._result.calls + len(turn.calls),
            requests=spent.requests,
            cost_micros=spent.micros,
            input_tokens=self._result.input_tokens + (counted.input if counted else 0),
            output_tokens=self._result.output_tokens + (counted.output if counted else 0),
        )

    async def _changed(self, rounds: Rounds, source: Source, base: str) -> CodingJobResult:
        """Have it changed until rules and tests take it, as often as it is given back; then propose it."""
        rules = KINDS[self._wanted.of_kind].session(self._wanted.write)
        patch: str | None = None
        while True:

            async def made(_: Source, session: str) -> tuple[ChangeRead, ChangesKept]:
                return await self._asked(rounds, self._made(rounds, session))

            read, kept = await on_source(self.step, made, source, place=source.repository, rules=rules, patch=patch)
            if read.nothing:
                return await self._unchanged(read)
            patch = kept.patch
            why = await self._tried(source, patch, read)
            if why is None:
                return await self._proposed(source, base, read, kept)
            self._give_back(rounds, refused_by_tests(why), f"the tests refused it: {why_refused(why)}")

    async def _updated(self, source: Source, base: str) -> CodingJobResult:
        """Have tools update what it depends on; no model is asked."""
        made = await Updating(self.step, self._wanted, self._note).made(source)
        if made is None:
            return self._ended(State.COMPLETED, "Everything that was asked for is as new as its manifest lets it be")
        tests = FreshTests(self, self._wanted, made.libraries)
        run = await tests.run(source, made.patch)
        self._note(tests=tuple(tests.runs))
        if not passed(run):
            why = f"with the new versions the tests do not pass: {ended(run)}"
            raise JobRefused(f"{why}. {_NOTHING}; the update is kept in 'patch'. Update fewer packages at once.")
        title = title_of(self._result.updates, made.files[0].path)
        self._note(title=title)
        body = update_body(self._wanted, self._result, workflow.info().workflow_id)
        taken = tuple(
            FileToCommit(path=file.path, content_base64=None, content=file.content, executable=file.executable)
            for file in made.files
        )
        return await self._opened(source, base, taken, title, body)

    async def _asked(self, rounds: Rounds, work: Awaitable[_Given]) -> _Given:
        """What came of it, as long as somebody answers.

        Raises:
            JobRefused: Nobody does.
        """
        try:
            return await work
        except NoModel as nobody:
            spent = rounds.inquiry.spending
            self._note(requests=spent.requests, cost_micros=spent.micros)
            raise JobRefused(f"no model did it: {visible(str(nobody))[:_SHORT]}. {_NOTHING}.") from nobody

    async def _made(self, rounds: Rounds, session: str) -> tuple[ChangeRead, ChangesKept]:
        """A change of this session that the rules take, with what the model says of it.

        Raises:
            SessionLost: The session is gone.
            NoModel: Nobody answers.
            JobRefused: The model gave none in all that it may use.
        """
        wanted = self._wanted
        while True:
            answer = await rounds.until_answer(session, wanted.repository)
            if answer is None:
                raise JobRefused(f"the model was not done after {self._result.turns} turns. {_NOTHING}; ask for less.")
            threads = self._revision.threads if self._revision else ()
            request = ReadChangeRequest(
                repository=wanted.repository, kind=wanted.of_kind, answer=answer, threads=threads
            )
            read = await self.step(READ_CHANGE, request, summary="Read what the model says of its change")
            self._note(mistakes=read.mistakes)
            if read.mistakes:
                self._give_back(rounds, mistakes_told(read.mistakes), "its answer cannot be taken")
                continue
            if read.nothing:
                return read, ChangesKept()
            kept = await self._kept(rounds, session)
            why = kept.refused or (None if kept.files and kept.patch else _NOT_CHANGED)
            if why is not None:
                self._give_back(rounds, why, f"there is no change that can be taken: {why}")
                continue
            if await self._judged(rounds, kept):
                self._note(title=read.title, explanation=read.explanation)
                return read, kept

    async def _kept(self, rounds: Rounds, session: str) -> ChangesKept:
        asked = KeepChangesRequest(session=session, repository=self._wanted.repository)
        kept = await self.step(KEEP_CHANGES, asked, summary="Keep what has changed")
        if kept.lost:
            rounds.worked.lost = True
            raise SessionLost(kept.refused or "")
        return kept

    async def _judged(self, rounds: Rounds, kept: ChangesKept) -> bool:
        """Whether the rules take it; what they refuse is given back."""
        wanted = self._wanted
        judged = await self.step(
            JUDGE_CHANGE,
            JudgeChangeRequest(
                repository=wanted.repository,
                kind=wanted.of_kind,
                write=wanted.write,
                files=kept.files,
                patch=kept.patch or "",
                patch_size=kept.patch_size,
            ),
            summary="Judge the change by the rules",
        )
        self._note(
            rounds=self._result.rounds + 1,
            refusals=judged.refusals,
            patch=kept.patch,
            files=tuple(FileChanged.model_validate(one.model_dump()) for one in kept.files),
        )
        if not judged.refusals:
            return True
        first, more = judged.refusals[0].line(), len(judged.refusals) - 1
        why = f"the rules refused it: {first}" + (f" (and {more} more)" if more else "")
        self._give_back(rounds, refused_by_rules(judged.refusals), why)
        return False

    def _give_back(self, rounds: Rounds, words: str, why: str) -> None:
        """Tell the model, where it may go on.

        Raises:
            JobRefused: It may not.
        """
        if not self._left or rounds.over:
            kept = "; its last change is kept in 'patch'" if self._result.patch else ""
            raise JobRefused(f"{why[:_SHORT]}. {_NOTHING}{kept}.")
        self._left -= 1
        rounds.say(words)

    async def _tried(self, source: Source, patch: str | None, read: ChangeRead) -> TestsRun | None:
        """The run of the tests that speaks against the change; None where none does."""
        tests = FreshTests(self, self._wanted)
        try:
            return await tests.against(source, patch, fails_without=read.fails_without)
        finally:
            self._note(tests=tuple(tests.runs))

    async def _unchanged(self, read: ChangeRead) -> CodingJobResult:
        """That there is nothing to change is an answer, also to whoever said something in review."""
        if self._revision is not None:
            self._note(number=self._revision.pull.number, url=self._revision.pull.url)
            self._result = await self._revision.tell(read, self._result, workflow.info().workflow_id)
        return self._ended(State.COMPLETED, f"The model found nothing to change: {read.nothing}"[:_SHORT])

    async def _pushed(
        self, revision: Revision, source: Source, read: ChangeRead, files: tuple[FileToCommit, ...]
    ) -> CodingJobResult:
        """One commit more on the pull request's own branch, and answers."""
        pull = revision.pull
        commit = await revision.push(files, onto=source.commit, message=read.title)
        self._note(branch=pull.head_branch, pushed=commit, number=pull.number, url=pull.url)
        self._result = await revision.tell(read, self._result, workflow.info().workflow_id)
        return self._ended(State.COMPLETED, None)

    async def _proposed(self, source: Source, base: str, read: ChangeRead, kept: ChangesKept) -> CodingJobResult:
        """A pull request for what a model made."""
        wanted = self._wanted
        load = LoadChangeRequest(repository=wanted.repository, kind=wanted.of_kind, files=kept.files)
        loaded = await self.step(LOAD_CHANGE, load, summary="Take up the change")
        if self._revision is not None:
            return await self._pushed(self._revision, source, read, loaded.files)
        body = pull_request_body(wanted, read, self._result, workflow.info().workflow_id)
        return await self._opened(source, base, loaded.files, read.title, body)

    async def _opened(
        self, source: Source, base: str, files: tuple[FileToCommit, ...], title: str, body: str
    ) -> CodingJobResult:
        """One commit, on the commit that was worked on, and a pull request for it."""
        wanted = self._wanted
        branch = wanted.branch(workflow.info().workflow_id)
        commit = CommitFilesRequest(
            repository=wanted.repository,
            branch=branch,
            files=files,
            base=base,
            onto=source.commit,
            message=title,
        )
        await self.step(COMMIT_FILES, commit, summary=f"Commit to {branch}")
        self._note(branch=branch)
        pull = OpenPullRequestRequest(repository=wanted.repository, head=branch, base=base, title=title, body=body)
        opened = await self.step(OPEN_PULL_REQUEST, pull, summary=f"Open a pull request: {title}")
        return self._ended(State.COMPLETED, None, number=opened.number, url=opened.url)

    async def _reviewed(self, rounds: Rounds, source: Source, pull: PullRead) -> CodingJobResult:
        """Look, and comment; nothing else."""

        async def looked(_: Source, session: str) -> ReviewRead:
            return await self._asked(rounds, self._looked(rounds, session, pull))

        place = f"{source.repository} at {source.commit[:12]}"
        read = await on_source(self.step, looked, source, place=place, rules=_LOOKS_ONLY)
        request = ReviewPullRequestRequest(
            repository=self._wanted.repository,
            number=pull.number,
            commit=source.commit,
            body=review_body(read, self._result, workflow.info().workflow_id),
            comments=read.comments,
        )
        said = await self.step(REVIEW_PULL_REQUEST, request, summary=f"Comment on #{pull.number}")
        return self._ended(
            State.COMPLETED,
            None,
            number=pull.number,
            url=said.url,
            explanation=read.summary,
            comments=len(read.comments),
        )

    async def _looked(self, rounds: Rounds, session: str, pull: PullRead) -> ReviewRead:
        wanted = self._wanted
        while True:
            answer = await rounds.until_answer(session, wanted.repository)
            if answer is None:
                raise JobRefused(f"the model was not done after {self._result.turns} turns. Nothing was said.")
            request = ReadReviewRequest(
                repository=wanted.repository, kind=wanted.of_kind, answer=answer, diff=pull.diff, most=wanted.comments
            )
            read = await self.step(READ_REVIEW, request, summary="Read what the model says of it")
            self._note(mistakes=read.mistakes)
            if not read.mistakes or (read.summary and (not self._left or rounds.over)):
                return read
            self._give_back(rounds, mistakes_told(read.mistakes), f"its review cannot be taken: {read.mistakes[0]}")


def _taking_up(wanted: CodingJobInput) -> str:
    asked = f"Take up what people said of {wanted.place} in review."
    return f"{asked} {wanted.text}" if wanted.text else asked
