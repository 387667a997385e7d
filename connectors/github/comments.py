"""Comments, labels and reactions of one repository, so that doing it twice does it once.

A comment of ours carries a key on its last line, hidden. Anybody can copy that line into a comment of their own, and
what a comment quotes may have one in it: only the last line of what our own App wrote counts.
"""

from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter

from connectors.errors import InvalidRequest, NotFound
from connectors.github.of_repository import OfRepository
from connectors.github.ours import OurApp
from connectors.github.shown import Reacted, Reaction

MOST_BODY: Final = 60_000
"""Bytes of a comment; GitHub takes 65,536 characters."""
_PATHS: Final = {
    "issue_comment": "issues/comments/{}/reactions",
    "review_comment": "pulls/comments/{}/reactions",
    "issue": "issues/{}/reactions",
}


class CommentThere(BaseModel):
    """A comment."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    html_url: str | None = None
    body: str | None = None
    performed_via_github_app: OurApp | None = None


class _Reaction(BaseModel):
    id: int


_COMMENTS: Final = TypeAdapter(list[CommentThere])


def mark_of(key: str) -> str:
    """The hidden line that tells a comment of ours from every other."""
    return f"<!-- banksman: {key} -->"


class Comments(OfRepository):
    """Those on issues and pull requests, which GitHub counts as one.

    Args:
        api: GitHub's.
        repository: `OWNER/NAME`.
        app: Our App's client id.
    """

    async def put(self, number: int, text: str, *, key: str) -> CommentThere:
        """Have the comment of this key say this: it is changed in its place, and made where there is none.

        Raises:
            ConnectorError: By the tree.
        """
        body = {"body": f"{text}\n\n{mark_of(key)}"}
        there = await self.find(number, key=key)
        if there is None:
            return await self._made(number, body)
        if there.body == body["body"]:
            return there
        path = f"issues/comments/{there.id}"
        return await self._ask(
            f"comment {there.id}", path, CommentThere.model_validate_json, body=body, changes_by="PATCH", content=True
        )

    async def once(self, number: int, text: str, *, key: str) -> CommentThere:
        """Say something, once for each key: what was said under it stays as it is.

        Raises:
            ConnectorError: By the tree.
        """
        there = await self.find(number, key=key)
        return there or await self._made(number, {"body": f"{text}\n\n{mark_of(key)}"})

    async def find(self, number: int, *, key: str) -> CommentThere | None:
        """Ours of this key; None where there is none.

        Raises:
            ConnectorError: By the tree.
        """
        mark, path = mark_of(key), f"issues/{number}/comments"
        async for there in self._pages(f"the comments on #{number}", path, _COMMENTS.validate_json):
            ours = (one for one in there if self._is_ours(one.performed_via_github_app))
            if (found := next((one for one in ours if _last_line(one.body) == mark), None)) is not None:
                return found
        return None

    async def delete(self, comment: int) -> None:
        """Take a comment away; one that is gone already is gone.

        Raises:
            ConnectorError: By the tree.
        """
        await self._gone(f"comment {comment}", f"issues/comments/{comment}")

    async def label(self, number: int, label: str, *, color: str, description: str) -> None:
        """Put a label on an issue or a pull request; GitHub itself adds each once.

        Args:
            number: Of the issue.
            label: Its name.
            color: Of a new one, six hexadecimal digits.
            description: Of a new one.

        Raises:
            ConnectorError: By the tree.
        """
        new = {"name": label, "color": color, "description": description}
        try:
            await self._ask(f"label {label!r}", f"labels/{quote(label, safe='')}", str)
        except NotFound:
            try:
                await self._ask(f"label {label!r}", "labels", str, body=new)
            except InvalidRequest as error:
                if not str(error).endswith("Validation Failed"):  # somebody else made it meanwhile
                    raise
        await self._ask(f"labels on #{number}", f"issues/{number}/labels", str, body={"labels": [label]})

    async def unlabel(self, number: int, label: str) -> None:
        """Take a label off; one that is not on stays off.

        Raises:
            ConnectorError: By the tree.
        """
        await self._gone(f"label {label!r} on #{number}", f"issues/{number}/labels/{quote(label, safe='')}")

    async def react(self, to: Reacted, number: int, reaction: Reaction) -> int:
        """React, as GitHub itself counts once for each App; the reaction's number.

        Raises:
            NotFound: What was reacted to is gone.
            ConnectorError: By the tree.
        """
        path = _PATHS[to].format(number)
        what = f"a reaction to {to.replace('_', ' ')} {number}"
        return (await self._ask(what, path, _Reaction.model_validate_json, body={"content": reaction})).id

    async def _made(self, number: int, body: dict[str, str]) -> CommentThere:
        path = f"issues/{number}/comments"
        return await self._ask(
            f"a comment on #{number}", path, CommentThere.model_validate_json, body=body, content=True
        )

    async def _gone(self, what: str, path: str) -> None:
        try:
            await self._ask(what, path, str, changes_by="DELETE")
        except NotFound:
            return


def _last_line(body: str | None) -> str:
    return (body or "").rstrip().rpartition("\n")[2].strip()
