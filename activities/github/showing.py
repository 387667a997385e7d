"""The steps that show on GitHub how a job stands, each with a token for that one kind of thing."""

from typing import Final

from activities.github.keys import workflow_key
from activities.github.session import session_for_step
from activities.github.showing_contracts import (
    ADD_REACTION,
    LABELS,
    PUT_CHECK,
    PUT_COMMENT,
    PUT_LABEL,
    AddReactionRequest,
    CheckPut,
    CommentPut,
    LabelPut,
    PutCheckRequest,
    PutCommentRequest,
    PutLabelRequest,
    ReactionAdded,
)
from activities.secrets import StepTokens
from activities.step import implements
from connectors.github import manifest
from connectors.github.checks import WantedCheck, head, require_actions, tail
from connectors.github.client import GitHubApp
from connectors.github.comments import MOST_BODY

_CHECKS: Final = {"checks": "write"}
_TALKS: Final = {"issues": "write"}
"""GitHub counts a pull request as an issue there."""
_TITLE: Final = 255
_LONGEST_URL: Final = 2_000


class ShowingActivities:
    """The steps, with the ports they need. All raise by the tree in `connectors/errors.py`; the guard maps it."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(PUT_CHECK)
    async def put_check(self, request: PutCheckRequest) -> CheckPut:
        """Have the check run of this workflow be so: it is looked for first, and changed in its place.

        Raises:
            NotFound: It is gone.
            InvalidRequest: GitHub does not take it: no such commit, an archived repository.
        """
        require_actions(request.actions)
        wanted = _wanted(request)
        if request.progress and not self._github.has_room(request.repository):
            return CheckPut(check=request.check, shown=False)
        session = session_for_step(
            self._github,
            self._vault,
            credential=manifest.WRITE,
            repository=request.repository,
            permissions=_CHECKS,
        )
        async with session as repository:
            there = await repository.checks.put(wanted, number=request.check)
        return CheckPut(check=there.id, url=there.html_url)

    @implements(PUT_COMMENT)
    async def put_comment(self, request: PutCommentRequest) -> CommentPut:
        """Have the one comment of this workflow say this."""
        key = workflow_key()
        session = session_for_step(
            self._github, self._vault, credential=manifest.WRITE, repository=request.repository, permissions=_TALKS
        )
        async with session as repository:
            there = await repository.comments.put(request.number, head(request.text, MOST_BODY), key=key)
        return CommentPut(comment=there.id, url=there.html_url)

    @implements(PUT_LABEL)
    async def put_label(self, request: PutLabelRequest) -> LabelPut:
        """Have this label of a job be on, and no other of them."""
        session = session_for_step(
            self._github, self._vault, credential=manifest.WRITE, repository=request.repository, permissions=_TALKS
        )
        async with session as repository:
            for other in LABELS.keys() - {request.label}:
                await repository.comments.unlabel(request.number, other)
            if request.label is not None:
                color, description = LABELS[request.label]
                await repository.comments.label(request.number, request.label, color=color, description=description)
        return LabelPut(number=request.number)

    @implements(ADD_REACTION)
    async def add_reaction(self, request: AddReactionRequest) -> ReactionAdded:
        """React, as a receipt; GitHub itself counts it once."""
        permissions = {"pull_requests": "write"} if request.to == "review_comment" else _TALKS
        session = session_for_step(
            self._github,
            self._vault,
            credential=manifest.WRITE,
            repository=request.repository,
            permissions=permissions,
        )
        async with session as repository:
            return ReactionAdded(id=await repository.comments.react(request.to, request.id, request.reaction))


def _wanted(request: PutCheckRequest) -> WantedCheck:
    url = request.details_url
    return WantedCheck(
        name=request.name,
        head_sha=request.commit,
        key=workflow_key(),
        status=request.status,
        conclusion=request.conclusion,
        title=request.title[:_TITLE],
        summary=head(request.summary),
        text=tail(request.text),
        details_url=url if url is not None and len(url) <= _LONGEST_URL else None,
        actions=request.actions,
        annotations=request.annotations,
    )
