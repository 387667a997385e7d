"""Writing to one repository, so that doing it twice does it once: look up, create, and look up again by the next try.

GitHub has no idempotency keys. So the caller gives one (the workflow's id and the step's name), and what is made
carries it: a commit as a trailer, a comment as a hidden line, a check run as its `external_id`. A pull request is
found by its branch, of which there is one per goal.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter

from connectors.errors import Conflict, InvalidRequest, NotFound
from connectors.github.comments import Comments
from connectors.github.of_repository import OfRepository
from connectors.github.ours import OurApp

_TRAILER: Final = "Banksman-Key"
_PAGE: Final = 100


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """What one path shall be.

    Attributes:
        path: From the root of the repository.
        content: All of it; None to delete the file. Of a symbolic link, its target.
        mode: As git writes it: a file, a program, a symbolic link.
    """

    path: str
    content: bytes | None
    mode: Literal["100644", "100755", "120000"] = "100644"


class PullRequest(BaseModel):
    """A pull request."""

    number: int
    html_url: str
    state: str


class Made(BaseModel):
    """A comment or a check run."""

    id: int
    html_url: str | None = None


class _Repository(BaseModel):
    default_branch: str


class _Sha(BaseModel):
    sha: str


class _Ref(BaseModel):
    object: _Sha


class _Commit(BaseModel):
    sha: str
    message: str
    tree: _Sha


class _Check(Made):
    external_id: str | None = None
    app: OurApp | None = None


class _Checks(BaseModel):
    check_runs: list[_Check]


_PULLS: Final = TypeAdapter(list[PullRequest])


class Writes(OfRepository):
    """What may be written to one repository, with the session's token."""

    async def default_branch(self) -> str:
        """The branch that is meant where none is named.

        Raises:
            ConnectorError: By the tree.
        """
        return (await self._ask("the default branch", "", _Repository.model_validate_json)).default_branch

    async def commit_files(  # noqa: PLR0913 - each is a fact of one commit
        self,
        branch: str,
        changes: Sequence[FileChange],
        *,
        base: str,
        message: str,
        key: str,
        onto: str | None = None,
    ) -> str:
        """A new branch with one commit on top of `base`; its id. Made already under this key, it is found.

        The branch appears last and at once, so that a half-made one is never seen. Files are written whole: where they
        were changed at a commit that is no longer the newest, `onto` keeps what came since from being undone.

        Raises:
            Conflict: The branch is there and is somebody else's.
            NotFound: There is no such base.
            InvalidRequest: A path cannot be, or a file to delete is not there.
            ConnectorError: By the tree.
        """
        if not changes:
            raise InvalidRequest(f"nothing to commit to {self._name!r}: name a file")
        if (there := await self._mine(branch, key)) is not None:
            return there
        commit = await self._made(changes, on=onto or await self._head(base), message=message, key=key)
        new_ref = {"ref": f"refs/heads/{branch}", "sha": commit.sha}
        try:
            await self._ask(f"branch {branch!r}", "git/refs", _Ref.model_validate_json, body=new_ref)
        except InvalidRequest:
            # The same answer whether it came to be meanwhile or cannot be.
            if (there := await self._mine(branch, key)) is None:
                raise
            return there
        return commit.sha

    async def add_commit(self, branch: str, changes: Sequence[FileChange], *, onto: str, message: str, key: str) -> str:
        """One more commit on a branch that stands at `onto`; its id. Added already under this key, it is found.

        The branch moves last, and only forwards: a push in between is never undone.

        Raises:
            Conflict: The branch stands elsewhere.
            NotFound: There is no such branch.
            InvalidRequest: A path cannot be, or a file to delete is not there.
            ConnectorError: By the tree.
        """
        if not changes:
            raise InvalidRequest(f"nothing to commit to {self._name!r}: name a file")
        if (there := await self._added(branch, onto, key)) is not None:
            return there
        commit = await self._made(changes, on=onto, message=message, key=key)
        path, body = f"git/refs/heads/{quote(branch)}", {"sha": commit.sha, "force": False}
        try:
            await self._ask(f"branch {branch!r}", path, _Ref.model_validate_json, body=body, changes_by="PATCH")
        except InvalidRequest:
            # A push in between, or the answer of another try that was lost.
            if (there := await self._added(branch, onto, key)) is None:
                raise
            return there
        return commit.sha

    async def open_pull_request(self, head: str, *, base: str, title: str, body: str) -> PullRequest:
        """A pull request from one branch to another; what there is of the kind, even closed, is found and left.

        Raises:
            InvalidRequest: A branch is not there, or there is nothing between them.
            ConnectorError: By the tree.
        """
        if (there := await self._pull(head, base)) is not None:
            return there
        given = {"title": title, "head": head, "base": base, "body": body}
        try:
            return await self._ask("the pull request", "pulls", PullRequest.model_validate_json, body=given)
        except InvalidRequest:
            if (there := await self._pull(head, base)) is None:
                raise
            return there

    async def comment(self, number: int, text: str, *, key: str) -> Made:
        """A comment on a pull request, once for each key.

        Raises:
            ConnectorError: By the tree.
        """
        made = await Comments(self._api, self._name, self._app).once(number, text, key=key)
        return Made(id=made.id, html_url=made.html_url)

    async def label(self, number: int, labels: Sequence[str]) -> None:
        """Labels on a pull request; GitHub itself adds each once.

        Raises:
            ConnectorError: By the tree.
        """
        await self._ask(f"labels on #{number}", f"issues/{number}/labels", str, body={"labels": list(labels)})

    async def check_run(  # noqa: PLR0913 - each is a field that GitHub wants
        self, head_sha: str, name: str, *, conclusion: str | None, title: str, summary: str, key: str
    ) -> Made:
        """A check run on a commit, once for each key: completed, or in progress where there is no conclusion.

        GitHub shows the newest of a name; those before it are out of date.

        Raises:
            ConnectorError: By the tree.
        """
        query = {"check_name": name, "filter": "all", "per_page": str(_PAGE)}
        path = f"commits/{quote(head_sha, safe='')}/check-runs"
        there = await self._ask(f"the checks of {head_sha[:12]}", path, _Checks.model_validate_json, query=query)
        ours = (one for one in there.check_runs if one.external_id == key and self._is_ours(one.app))
        if (found := next(ours, None)) is not None:
            return Made(id=found.id, html_url=found.html_url)
        body = {
            "name": name,
            "head_sha": head_sha,
            "external_id": key,
            **({"conclusion": conclusion} if conclusion else {"status": "in_progress"}),
            "output": {"title": title, "summary": summary},
        }
        return await self._ask(f"check {name!r}", "check-runs", Made.model_validate_json, body=body)

    async def _made(self, changes: Sequence[FileChange], *, on: str, message: str, key: str) -> _Sha:
        """A commit that no branch has yet."""
        parent = await self._commit(on)
        entries = [await self._entry(change) for change in changes]
        new_tree = {"base_tree": parent.tree.sha, "tree": entries}
        tree = await self._ask("the tree", "git/trees", _Sha.model_validate_json, body=new_tree)
        text = f"{message.rstrip()}\n\n{_TRAILER}: {key}\n"
        new_commit = {"message": text, "tree": tree.sha, "parents": [parent.sha]}
        return await self._ask("the commit", "git/commits", _Sha.model_validate_json, body=new_commit)

    async def _added(self, branch: str, onto: str, key: str) -> str | None:
        """Where the branch stands when this key's commit is its last; None where it stands at `onto`."""
        head = await self._head(branch)
        if head == onto:
            return None
        if f"{_TRAILER}: {key}" in (await self._commit(head)).message.splitlines():
            return head
        raise Conflict(
            f"{branch!r} of {self._name!r} moved from {onto[:12]} to {head[:12]}, and nothing was put on it: look at "
            "what came, and ask again"
        )

    async def _mine(self, branch: str, key: str) -> str | None:
        """Where the branch stands when it was made under this key; None when there is none."""
        try:
            head = await self._head(branch)
        except NotFound:
            return None
        if f"{_TRAILER}: {key}" not in (await self._commit(head)).message.splitlines():
            raise Conflict(f"{self._name!r} has a branch {branch!r} of somebody else's: choose another name")
        return head

    async def _head(self, branch: str) -> str:
        path = f"git/ref/heads/{quote(branch)}"
        return (await self._ask(f"branch {branch!r}", path, _Ref.model_validate_json)).object.sha

    async def _commit(self, sha: str) -> _Commit:
        return await self._ask(f"commit {sha[:12]}", f"git/commits/{sha}", _Commit.model_validate_json)

    async def _entry(self, change: FileChange) -> dict[str, object]:
        entry: dict[str, object] = {"path": change.path, "mode": change.mode, "type": "blob", "sha": None}
        if change.content is None:
            return entry
        body = {"content": base64.b64encode(change.content).decode(), "encoding": "base64"}
        blob = await self._ask(f"file {change.path!r}", "git/blobs", _Sha.model_validate_json, body=body)
        return entry | {"sha": blob.sha}

    async def _pull(self, head: str, base: str) -> PullRequest | None:
        query = {"head": f"{self._name.split('/')[0]}:{head}", "base": base, "state": "all"}
        found = await self._ask("pull requests", "pulls", _PULLS.validate_json, query=query)
        return found[0] if found else None
