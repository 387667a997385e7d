"""What people say on lines of a pull request, in threads, and one answer to each of these.

GitHub does not tell an App which of these it wrote itself. Ours are told by a hidden last line, as every comment of
ours has one, and by their writer, which has to be an App: no person's comment counts as ours, whatever they copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from connectors.github.comments import mark_of
from connectors.github.of_repository import PAGE, OfRepository
from connectors.github.writes import Made

MOST: Final = 1000
"""Comments of one pull request that are looked at."""
_MARK: Final = mark_of("").removesuffix(" -->").rstrip()


class _User(BaseModel):
    login: str
    type: str = "User"


class ReviewCommentThere(BaseModel):
    """One comment on a line. The words are a stranger's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    html_url: str
    body: str = ""
    path: str
    line: int | None = None
    original_line: int | None = None
    in_reply_to_id: int | None = None
    user: _User | None = None

    @property
    def author(self) -> str:
        """The login; empty where the account is gone."""
        return self.user.login if self.user is not None else ""

    @property
    def ours(self) -> bool:
        """Whether an App wrote it with a mark of ours."""
        last = self.body.rstrip().rpartition("\n")[2].strip()
        return self.user is not None and self.user.type == "Bot" and last.startswith(_MARK)

    def is_marked(self, key: str) -> bool:
        """Whether it is ours, of this key."""
        return self.ours and self.body.rstrip().endswith(mark_of(key))


@dataclass(frozen=True)
class ReviewThread:
    """A first comment with the replies to it, oldest first."""

    comments: Sequence[ReviewCommentThere]

    @property
    def first(self) -> ReviewCommentThere:
        """Where it stands."""
        return self.comments[0]

    @property
    def waits(self) -> bool:
        """Whether the last word of it is not ours."""
        return not self.comments[-1].ours


_COMMENTS: Final = TypeAdapter(list[ReviewCommentThere])


class ReviewComments(OfRepository):
    """Those of one repository, with the session's token."""

    async def threads(self, number: int) -> list[ReviewThread]:
        """All threads of a pull request, oldest first.

        Raises:
            NotFound: There is no such pull request.
            ConnectorError: By the tree.
        """
        there = await self._all(number)
        replies: dict[int, list[ReviewCommentThere]] = {}
        for one in there:
            if one.in_reply_to_id is not None:
                replies.setdefault(one.in_reply_to_id, []).append(one)
        return [ReviewThread((one, *replies.get(one.id, ()))) for one in there if one.in_reply_to_id is None]

    async def answer(self, number: int, comment: int, text: str, *, key: str) -> Made:
        """A reply to the first comment of a thread, once for each key.

        Raises:
            NotFound: There is no such comment.
            ConnectorError: By the tree.
        """
        there = (one for one in await self._all(number) if one.in_reply_to_id == comment and one.is_marked(key))
        if (found := next(there, None)) is not None:
            return Made(id=found.id, html_url=found.html_url)
        body = {"body": f"{text.rstrip()}\n\n{mark_of(key)}"}
        path = f"pulls/{number}/comments/{comment}/replies"
        what = f"an answer to comment {comment} on #{number}"
        return await self._ask(what, path, Made.model_validate_json, body=body, content=True)

    async def _all(self, number: int) -> list[ReviewCommentThere]:
        found: list[ReviewCommentThere] = []
        what, path = f"the comments on lines of #{number}", f"pulls/{number}/comments"
        async for there in self._pages(what, path, _COMMENTS.validate_json, most=MOST // PAGE):
            found += there
        return found
