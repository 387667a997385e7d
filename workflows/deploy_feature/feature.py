"""The feature that is deployed: a branch or pull request at one commit, and what that commit's manifest says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import (
        FETCH_REPOSITORY,
        LOOK_AT_PULL_REQUEST,
        READ_FILE,
        FetchRepositoryRequest,
        FileRead,
        LookAtPullRequestRequest,
        PullRequestSeen,
        ReadFileRequest,
        RepositoryFetched,
    )
    from activities.guard.error_types import ErrorType, application_error
    from activities.sandbox.contracts import Source
    from hitl.approval.stricter import Stricter
    from hitl.hidden import unhidden, visible
    from hitl.policy.tightening import Tightening
    from workflows.contracts import Outcome, State
    from workflows.deploy_feature.base_manifest import Base, Irreconcilable, base_of, stricter_of_both
    from workflows.deploy_feature.goals import DeployNewFeatureInput
    from workflows.deploy_feature.refusals import held_nowhere, not_done, unknown_environments
    from workflows.goal import Goal, NotApproved
    from workflows.manifest.manifest import FILE_NAME, Manifest
    from workflows.manifest.reading import ManifestError, ReadManifest, read_manifest

_TRIES: Final = 3
_READS_BASE: Final = "a-deployment-reads-the-bases-manifest"
"""The patch: runs that began without it knew the feature's own manifest alone."""


class Stopped(NotApproved):
    """It ends before anything was changed, with these lines for people."""

    def __init__(self, outcome: Outcome, reason: str, *, mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(outcome, reason)
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What is deployed. Whatever its manifest says was checked.

    Attributes:
        pull: The pull request that is merged at the end; None where there is none.
        environments: Where it goes, in order.
        digest: Of the manifest, by git.
        tightening: What its manifest and that of its base ask of the policy, for every plan.
        base: The manifest of what it goes into; None of a run that did not look.
        text: Its own manifest's.
    """

    source: Source
    pull: PullRequestSeen | None
    manifest: Manifest
    environments: tuple[str, ...]
    digest: str
    tightening: Stricter | None = None
    base: Base | None = None
    text: str = ""

    @property
    def commit(self) -> str:
        """Of all of it."""
        return self.source.commit


class FeatureReader:
    """Reads the feature that was asked for, and looks later whether it is the same.

    Args:
        goal: Takes the steps.
        wanted: What was asked for.
    """

    def __init__(self, goal: Goal, wanted: DeployNewFeatureInput) -> None:
        self._goal: Goal = goal
        self._wanted = wanted
        self.commit: str | None = None
        """The commit that was resolved last."""
        self.pull: PullRequestSeen | None = None

    async def read(self) -> Feature:
        """Resolve the commit, find the pull request, read and check the manifest.

        Raises:
            Stopped: There is nothing that can be deployed, for these reasons.
            ApplicationError: There is no such branch, or a step failed for good.
        """
        pull, fetched = await self._resolve()
        self.pull, self.commit = pull, fetched.commit
        read, found = await self._manifest(fetched.commit)
        manifest, base = read.manifest, None
        if workflow.patched(_READS_BASE):
            base = await self._base(pull)
        source = Source(repository=self._wanted.repository, commit=fetched.commit, pack=fetched.pack)
        return Feature(
            source=source,
            pull=pull,
            manifest=manifest,
            environments=self._wanted.environments or tuple(manifest.pulumi.stacks if manifest.pulumi else ()),
            digest=found.blob,
            tightening=_tightening(read, base),
            base=base,
            text=found.content or "",
        )

    async def require_same(self, feature: Feature) -> None:
        """Look whether the branch is where it was: then its manifest is, too, for git knows both by their content.

        Raises:
            ApplicationError: `Conflict`: it is not, or its pull request cannot be merged any more.
        """
        branch = feature.pull.head_branch if feature.pull else str(self._wanted.branch)
        now = (await self._fetch(branch)).commit
        if now != feature.commit:
            raise application_error(
                ErrorType.CONFLICT,
                f"{branch} of {self._wanted.repository!r} moved from {feature.commit[:12]} to {now[:12]} meanwhile: "
                "what was approved is not applied, and is planned again",
            )
        if feature.base is not None and (await self._base(feature.pull)).blob != feature.base.blob:
            text = (
                f"{FILE_NAME} of {feature.base.branch} is another one than when people were asked: it is planned again"
            )
            raise application_error(ErrorType.CONFLICT, text)
        if feature.pull is not None:
            seen = await self._pull()
            if seen is None or (seen.number, seen.head, seen.base) != _identity(feature.pull):
                was = f"#{feature.pull.number} into {feature.pull.base}"
                text = f"the pull request {was} is not what people approved any more: what was approved is not applied"
                raise application_error(ErrorType.CONFLICT, text)

    async def manifest_at(self, commit: str) -> Manifest:
        """What the manifest of another commit says, whether or not this goal could carry it out.

        Raises:
            Stopped: There is none there, or it cannot be used.
            ApplicationError: A step failed for good.
        """
        return (await self._manifest_at(commit))[0].manifest

    async def _resolve(self) -> tuple[PullRequestSeen | None, RepositoryFetched]:
        """The pull request and the commit, which fit together."""
        for _ in range(_TRIES):
            pull = await self._pull()
            fetched = await self._fetch(pull.head_branch if pull else str(self._wanted.branch))
            if pull is None or pull.head == fetched.commit:
                return pull, fetched
        text = (
            f"{self._wanted.what} of {self._wanted.repository} moves while it is looked at: ask again. Nothing was done"
        )
        raise Stopped(State.REFUSED, text)

    async def _pull(self) -> PullRequestSeen | None:
        wanted = self._wanted
        look = await self._goal.step(
            LOOK_AT_PULL_REQUEST,
            LookAtPullRequestRequest(repository=wanted.repository, number=wanted.pull_request, branch=wanted.branch),
            summary=f"Look at the pull request of {wanted.what}",
        )
        found = look.found
        if found is None:
            if wanted.pull_request is not None:
                raise Stopped(State.REFUSED, f"{wanted.repository} has no pull request {wanted.what}")
            return None
        if (why := _not_mergeable(found)) is not None:
            raise Stopped(State.REFUSED, f"#{found.number} of {wanted.repository} {why}: nothing was done")
        return found

    async def _fetch(self, branch: str) -> RepositoryFetched:
        return await self._goal.step(
            FETCH_REPOSITORY,
            FetchRepositoryRequest(repository=self._wanted.repository, ref=branch),
            summary=f"Fetch {visible(branch)}",
        )

    async def _manifest(self, commit: str) -> tuple[ReadManifest, FileRead]:
        """That of the feature, all of which this goal can carry out."""
        read, found = await self._manifest_at(commit)
        manifest = read.manifest
        if asks := held_nowhere(manifest.policy, manifest.needs):
            raise _stopped("asks of the policy what nothing would hold", asks, outcome=State.DENIED)
        environments = self._wanted.environments or tuple(manifest.pulumi.stacks if manifest.pulumi else ())
        asks = (*unknown_environments(manifest, environments), *not_done(manifest, environments))
        if asks:
            raise _stopped("asks for what this goal does not do", asks)
        return read, found

    async def _base(self, pull: PullRequestSeen | None) -> Base:
        """The manifest of the branch that it goes into, as it is now; without a pull request the default one's."""
        name = visible(pull.base) if pull else "the default branch"
        found = await self._read(pull.base if pull else None, f"Read {FILE_NAME} of {name}")
        if found is None or found.content is None or found.encoding != "utf-8":
            return Base(branch=name, blob=found.blob if found else None)
        return base_of(name, found.content, found.blob)

    async def _read(self, ref: str | None, summary: str) -> FileRead | None:
        request = ReadFileRequest(repository=self._wanted.repository, path=FILE_NAME, ref=ref)
        try:
            return await self._goal.step(READ_FILE, request, summary=summary)
        except ApplicationError as error:
            if error.type != ErrorType.NOT_FOUND:
                raise
            return None

    async def _manifest_at(self, commit: str) -> tuple[ReadManifest, FileRead]:
        wanted = self._wanted
        found = await self._read(commit, f"Read {FILE_NAME} at {commit[:12]}")
        if found is None:
            text = f"{wanted.repository} has no {FILE_NAME} at {commit[:12]}: `banksman manifest init` proposes one"
            raise Stopped(State.REFUSED, text)
        if found.content is None or found.encoding != "utf-8":
            raise Stopped(State.REFUSED, f"{FILE_NAME} is no text of 256 kB at most: nothing was done")
        try:
            read = read_manifest(found.content.encode())
        except ManifestError as error:
            raise _stopped("cannot be used", tuple(map(unhidden, str(error).splitlines()))) from error
        return read, found


def _tightening(read: ReadManifest, base: Base | None) -> Stricter | None:
    """The stricter of both.

    Raises:
        Stopped: No plan can do what both ask, or the base asks what nothing would hold.
    """
    own, other = read.tightening(), base.tightening if base else None
    if other is not None and (asks := held_nowhere(Tightening.model_validate(other.asked), read.manifest.needs)):
        raise _stopped("of the base asks of the policy what nothing would hold", asks, outcome=State.DENIED)
    try:
        return stricter_of_both(own, other)
    except Irreconcilable as error:
        raise Stopped(State.DENIED, f"{error}. Nothing was done") from error


def _identity(pull: PullRequestSeen) -> tuple[int, str, str]:
    return pull.number, pull.head, pull.base


def _not_mergeable(pull: PullRequestSeen) -> str | None:
    if pull.state != "open":
        return f"is {pull.state}"
    if pull.fork:
        return "comes from a fork, whose commits are not fetched"
    if pull.draft:
        return "is a draft"
    return f"conflicts with {visible(pull.base)}" if pull.mergeable is False else None


def _stopped(what: str, lines: Sequence[str], *, outcome: Outcome = State.REFUSED) -> Stopped:
    counted = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return Stopped(
        outcome, f"{FILE_NAME} {what} ({counted}): {lines[0]}{more}. Nothing was done", mistakes=tuple(lines)
    )
