"""Steps on pull requests: looking at one, on the connectors worker; merging it by a grant, on the destructive one."""

from typing import Final

from activities.github.contracts import (
    LOOK_AT_PULL_REQUEST,
    MERGE_PULL_REQUEST,
    CheckSeen,
    LookAtPullRequestRequest,
    MergePullRequestParameters,
    PullRequestLook,
    PullRequestMerged,
    PullRequestSeen,
    ReviewSeen,
)
from activities.github.session import reading_session
from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.uncut import uncut
from activities.guard.withheld import DestructiveSecrets
from activities.secrets import StepTokens
from activities.step import implements
from connectors.errors import Conflict, InvalidRequest, NotFound
from connectors.github import manifest
from connectors.github.client import GitHubApp
from connectors.github.models import AppCredentials
from connectors.github.permissions import AT_MOST
from connectors.github.pulls import Pull, Pulls

_LOOKS: Final = ("pull_requests", "checks")
_MOST: Final = 100
_TITLE: Final = 300


class PullRequestActivities:
    """Reading; for the connectors worker."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github = github
        self._vault = vault

    @implements(LOOK_AT_PULL_REQUEST)
    async def look_at_pull_request(self, request: LookAtPullRequestRequest) -> PullRequestLook:
        """How a pull request stands; of a branch, the open one.

        Raises:
            Conflict: The branch has several, into different branches.
            InvalidRequest: Not exactly one of number and branch is given.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        if (request.number is None) is (request.branch is None):
            raise InvalidRequest("give the pull request's number or its branch, and not both")
        session = reading_session(self._github, self._vault, request.repository, *_LOOKS)
        async with session as repository:
            found = await _found(repository.pulls, request)
            if found is None:
                return PullRequestLook(found=None)
            reviews = await repository.pulls.reviews(found.number)
            checks = await repository.pulls.checks(found.head.sha)
        seen = _seen(found).model_copy(
            update={
                "reviews": tuple(
                    ReviewSeen(person=one.person, verdict=one.verdict, commit=one.commit) for one in reviews[:_MOST]
                ),
                "checks": tuple(CheckSeen(name=one.name, conclusion=one.conclusion) for one in checks[:_MOST]),
            }
        )
        return PullRequestLook(found=seen)


class PullRequestMerging:
    """Merging; for the destructive worker. Its App's key is out of every other process's reach."""

    def __init__(self, github: GitHubApp, secrets: DestructiveSecrets) -> None:
        self._github = github
        self._secrets = secrets

    @implements(MERGE_PULL_REQUEST)
    async def merge_pull_request(self, request: GrantedRequest) -> PullRequestMerged:
        """Merge the pull request at the commit that was approved, into the branch that was approved, and no other.

        Idempotent by reading: an attempt after a lost answer finds it merged at that commit, and is done.

        Raises:
            ConnectorError: As the tree says; `Conflict` where it stands elsewhere, goes elsewhere, is closed or cannot
                be merged, and nothing was done.
        """
        wanted = request.approved().parameters_as(MergePullRequestParameters)
        app = await self._secrets.read(manifest.MERGE_PULL_REQUEST)
        session = self._github.session(
            AppCredentials.of(app.fields),
            repository=wanted.repository,
            permissions=AT_MOST[manifest.MERGE_PULL_REQUEST],
        )
        async with session as repository:
            pulls = repository.pulls
            before = await pulls.get(wanted.number)
            if before.merged:
                return _merged(before, wanted, by_another=current_attempt().use is Use.FIRST)
            _require_as_approved(before, wanted)
            try:
                commit = await uncut(
                    lambda look: pulls.merge(
                        wanted.number, head=wanted.expected_head, method=wanted.method, last_look=look
                    ),
                    app.last_look,
                )
            except Conflict:
                # Somebody may have been quicker by a moment, and done just what was approved.
                if not (now := await pulls.get(wanted.number)).merged:
                    raise
                return _merged(now, wanted, by_another=True)
        return PullRequestMerged(commit=commit)


async def _found(pulls: Pulls, request: LookAtPullRequestRequest) -> Pull | None:
    if request.number is None:
        return await pulls.open_of(request.branch or "", base=request.base)
    try:
        return await pulls.get(request.number)
    except NotFound:
        return None


def _seen(pull: Pull) -> PullRequestSeen:
    repository = pull.base.repo
    return PullRequestSeen(
        number=pull.number,
        url=pull.html_url,
        state="merged" if pull.merged else pull.state,
        title=pull.title[:_TITLE],
        author=pull.user.login if pull.user else "",
        draft=pull.draft,
        head=pull.head.sha,
        head_branch=pull.head.ref,
        base=pull.base.ref,
        base_commit=pull.base.sha,
        changed_files=pull.changed_files,
        fork=pull.head.repo is None or repository is None or pull.head.repo.full_name != repository.full_name,
        mergeable=pull.mergeable,
        mergeable_state=pull.mergeable_state,
        merge_commit=pull.merge_commit_sha if pull.merged else None,
        merged_by=pull.merged_by.login if pull.merged_by else None,
    )


def _require_as_approved(pull: Pull, wanted: MergePullRequestParameters) -> None:
    what = f"#{wanted.number} of {wanted.repository!r}"
    if pull.base.ref != wanted.branch:
        raise Conflict(f"{what} goes into {pull.base.ref!r} now, and not into {wanted.branch!r}: plan again")
    if pull.head.sha != wanted.expected_head:
        raise Conflict(
            f"{what} moved from {wanted.expected_head[:12]} to {pull.head.sha[:12]} and is not merged: look at what "
            "came, and plan again"
        )
    if pull.state == "closed":
        raise Conflict(f"{what} was closed and is not merged: open it again, and plan again")


def _merged(pull: Pull, wanted: MergePullRequestParameters, *, by_another: bool) -> PullRequestMerged:
    """What is told of one that is merged already.

    Raises:
        Conflict: It was merged at another commit or into another branch.
    """
    _require_as_approved(pull.model_copy(update={"state": "open"}), wanted)
    by = pull.merged_by.login if pull.merged_by else None
    return PullRequestMerged(commit=pull.merge_commit_sha or pull.head.sha, merged_by=by, before=by_another)
