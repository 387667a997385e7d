"""Steps on branches: looking at one, on the connectors worker; and its deletion, on the destructive one, by a grant."""

from typing import Final

from activities.github.contracts import (
    DELETE_BRANCH,
    LOOK_AT_BRANCH,
    BranchDeleted,
    BranchSeen,
    DeleteBranchParameters,
    LookAtBranchRequest,
    LostCommit,
)
from activities.github.session import reading_session
from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.secrets import StepTokens
from activities.step import implements
from connectors.errors import NotFound
from connectors.github import manifest
from connectors.github.client import GitHubApp
from connectors.github.models import AppCredentials
from connectors.github.permissions import AT_MOST

_MOST_LISTED: Final = 100


class BranchActivities:
    """Reading; for the connectors worker."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github = github
        self._vault = vault

    @implements(LOOK_AT_BRANCH)
    async def look_at_branch(self, request: LookAtBranchRequest) -> BranchSeen:
        """Where a branch stands and what would be lost with it.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        session = reading_session(self._github, self._vault, request.repository, "contents")
        async with session as repository:
            try:
                found = await repository.branch_loss(request.branch)
            except NotFound:
                return BranchSeen(head=None)
        listed = tuple(LostCommit(sha=one.sha, subject=one.subject[:200]) for one in found.commits[:_MOST_LISTED])
        return BranchSeen(head=found.head, lost=len(found.commits), commits=listed, default=found.default)


class BranchDestruction:
    """Deleting; for the destructive worker. Its App's key is out of every other process's reach."""

    def __init__(self, github: GitHubApp, secrets: DestructiveSecrets) -> None:
        self._github = github
        self._secrets = secrets

    @implements(DELETE_BRANCH)
    async def delete_branch(self, request: GrantedRequest) -> BranchDeleted:
        """Delete the branch at the commit that was approved, and at no other.

        Idempotent by compare-and-swap: an attempt after a lost answer finds it gone, and is done.

        Raises:
            ConnectorError: As the tree says; `Conflict` when somebody pushed, and the branch is kept.
        """
        wanted = request.approved().parameters_as(DeleteBranchParameters)
        app = await self._secrets.read(manifest.DELETE_BRANCH)
        session = self._github.session(
            AppCredentials.of(app.fields), repository=wanted.repository, permissions=AT_MOST[manifest.DELETE_BRANCH]
        )
        async with session as repository:
            there = await repository.delete_branch(
                wanted.branch, expected_head=wanted.expected_head, last_look=app.last_look
            )
            if not there and current_attempt().use is Use.FIRST:
                raise NotFound(f"{wanted.repository!r} has no branch {wanted.branch!r} any more: somebody deleted it")
        return BranchDeleted(head=wanted.expected_head)
