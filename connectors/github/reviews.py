"""Saying something of a pull request, at one commit and at its lines, and never more than that.

GitHub takes a review as an approval, as a request for changes, or as a comment. Here there is no word for the first
two: whoever asks can only comment.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, TypeAdapter

from connectors.github.of_repository import OfRepository
from connectors.github.writes import Made

_MOST_PAGES: Final = 10
_EVENT: Final = "COMMENT"


@dataclass(frozen=True, kw_only=True)
class LineComment:
    """What is said of lines of a file, as it is at the commit.

    Attributes:
        path: From the root of the repository.
        line: The last of them, from 1; it must be in the diff.
        first: The first of them, where there are several.
        body: Markdown.
    """

    path: str
    line: int
    body: str
    first: int | None = None


class _User(BaseModel):
    login: str
    type: str = "User"


class _Review(BaseModel):
    id: int
    html_url: str | None = None
    body: str | None = None
    commit_id: str | None = None
    user: _User | None = None


_REVIEWS: Final = TypeAdapter(list[_Review])


class Reviews(OfRepository):
    """Those of one repository, with the session's token."""

    async def comment(self, number: int, *, commit: str, body: str, comments: Sequence[LineComment], key: str) -> Made:
        """A review that only comments, once for each key.

        Args:
            number: Of the pull request.
            commit: What was looked at: the lines are those of it, whatever was pushed since.
            body: Markdown.
            comments: Of lines.
            key: Is kept with it, so that another try finds it.

        Raises:
            InvalidRequest: A line is not in the diff.
            NotFound: There is no such pull request.
            ConnectorError: By the tree.
        """
        mark = f"<!-- banksman: {key} -->"
        if (there := await self._made(number, mark)) is not None:
            return there
        said = {
            "commit_id": commit,
            "body": f"{body.rstrip()}\n\n{mark}",
            "event": _EVENT,
            "comments": [_comment(one) for one in comments],
        }
        path = f"pulls/{number}/reviews"
        return await self._ask(f"the review of #{number}", path, Made.model_validate_json, body=said)

    async def said_of(self, number: int, commit: str) -> list[tuple[str, str]]:
        """Who said what of it as a whole, at that commit, oldest first; what Apps said is left out.

        Raises:
            NotFound: There is no such pull request.
            ConnectorError: By the tree.
        """
        return [
            (one.user.login, one.body)
            async for one in self._all(number)
            if one.user is not None and one.user.type == "User" and one.body and one.commit_id == commit
        ]

    async def _made(self, number: int, mark: str) -> Made | None:
        async for one in self._all(number):
            if mark in (one.body or ""):
                return Made(id=one.id, html_url=one.html_url)
        return None

    async def _all(self, number: int) -> AsyncIterator[_Review]:
        what, path = f"the reviews of #{number}", f"pulls/{number}/reviews"
        async for there in self._pages(what, path, _REVIEWS.validate_json, most=_MOST_PAGES):
            for one in there:
                yield one


def _comment(one: LineComment) -> dict[str, object]:
    told: dict[str, object] = {"path": one.path, "line": one.line, "side": "RIGHT", "body": one.body}
    if one.first is not None and one.first < one.line:
        told |= {"start_line": one.first, "start_side": "RIGHT"}
    return told
