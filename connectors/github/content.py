"""Reading one repository: its files and its commits, at a commit that the result names.

A ref is resolved first, by the one request whose answer is just the commit's id, and all is then read at that commit:
the result says what was read, and reading it again gives the same bytes.
"""

import asyncio
import base64
import dataclasses
import re
import threading
from typing import Annotated, Final, Literal
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import BaseModel, BeforeValidator, Discriminator, Tag, TypeAdapter

from connectors.errors import Conflict, InvalidRequest, NotFound
from connectors.github.api import Api, Question
from connectors.github.asked import Asked
from connectors.github.branch import BranchLoss, LastLook, Remote
from connectors.github.checks import Checks
from connectors.github.comments import Comments
from connectors.github.copy import (
    MOST_PULLS,
    CopiedCheck,
    CopiedPull,
    CopiedRepository,
    CopiedReview,
    Origin,
    copy_objects,
)
from connectors.github.models import FileContent, FileList
from connectors.github.pack import Pack, fetch_pack
from connectors.github.people import People
from connectors.github.pulls import Pull, Pulls
from connectors.github.review_comments import ReviewComments
from connectors.github.reviews import Reviews
from connectors.github.writes import Writes

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}")
_ANY_CASE: Final = re.compile(_COMMIT_ID.pattern, re.IGNORECASE)
_SHA_ONLY: Final = "application/vnd.github.sha"
_HEAD: Final = "HEAD"


def _decoded(text: object) -> bytes:
    # GitHub breaks the lines; anything else that is not base64 is an error, not to be skipped.
    return base64.b64decode(str(text).replace("\n", ""), validate=True)


_Base64 = Annotated[bytes, BeforeValidator(_decoded)]


class _Item(BaseModel):
    """What GitHub's contents API tells of a path that is no folder."""

    type: Literal["file", "dir", "symlink", "submodule"]
    sha: str
    url: str
    encoding: str = ""
    content: _Base64 = b""


class _Repository(BaseModel):
    clone_url: str
    default_branch: str


class _Branch(BaseModel):
    name: str


_BRANCHES: Final[TypeAdapter[list[_Branch]]] = TypeAdapter(list[_Branch])


class _TreeEntry(BaseModel):
    path: str
    type: str
    size: int | None = None


class _Tree(BaseModel):
    tree: list[_TreeEntry]
    truncated: bool


class _Blob(BaseModel):
    encoding: Literal["base64"]
    content: _Base64


def _kind(answer: object) -> str:
    return "folder" if isinstance(answer, list) else "item"


_CONTENTS: Final[TypeAdapter[list[object] | _Item]] = TypeAdapter(
    Annotated[Annotated[list[object], Tag("folder")] | Annotated[_Item, Tag("item")], Discriminator(_kind)]
)


class GitHubSession:
    """One repository, with a token of its own.

    Args:
        api: GitHub's.
        repository: `OWNER/NAME`.
        app: Our App's client id.
        installation: Whose token it is, by GitHub's number; None where nobody said.
    """

    def __init__(self, api: Api, repository: str, app: str = "", *, installation: int | None = None) -> None:
        self._api = api
        self._name = repository
        self._app = app
        self.installation = installation

    async def read_file(self, path: str, *, ref: str | None = None) -> FileContent:
        """One file, of any size up to GitHub's 100 MB, at the commit that the ref names now.

        Two requests, three for a file over 1 MB. A symbolic link to a file inside the repository gives that file's
        content, as GitHub does.

        Args:
            path: From the root of the repository.
            ref: Branch, tag or commit; the default branch when None.

        Raises:
            InvalidRequest: It is a folder, a submodule, a link to elsewhere or too large, or the path or ref is none.
            NotFound: There is no such repository, ref or file; the message says which.
            ConnectorError: By the tree.
        """
        _check_path(path)
        if not path:
            raise InvalidRequest(f"no path given: name a file of {self._name!r}")
        return await self._file(path, await self._commit(ref), ref)

    async def read_at(self, path: str, *, commit: str) -> FileContent:
        """The same at a commit that an answer of GitHub's named, which is not looked up again: one request less.

        Raises:
            InvalidRequest: As of `read_file`; or that is no commit's id.
            NotFound: There is no such file there.
            ConnectorError: By the tree.
        """
        _check_path(path)
        if not path or not _COMMIT_ID.fullmatch(commit):
            raise InvalidRequest(f"{path!r} at {commit!r} is no file at a commit: name both")
        return await self._file(path, commit, commit)

    async def _file(self, path: str, commit: str, ref: str | None) -> FileContent:
        found = await self._item(path, commit, ref)
        content = await self._content(found, path)
        return FileContent(path=path, commit=commit, sha=found.sha, size=len(content), content=content)

    async def branches(self, *, most: int) -> list[str]:
        """Names of its branches, as GitHub orders them, and at most so many of the first hundred.

        Raises:
            NotFound: There is no such repository.
            ConnectorError: By the tree.
        """
        question = self._question(
            f"the branches of {self._name!r}",
            "branches",
            missing=f"{self._name!r} is there no more",
            query={"per_page": "100"},
        )
        return [one.name for one in await self._api.ask(question, _BRANCHES.validate_json)][:most]

    async def files(self, *, ref: str | None = None) -> FileList:
        """Every file's path at the commit that the ref names now, as far as GitHub lists them: 100,000, or 7 MB.

        Raises:
            NotFound: There is no such repository or ref; the message says which.
            ConnectorError: By the tree.
        """
        commit = await self._commit(ref)
        question = self._question(
            f"the files of {self._name!r}",
            f"git/trees/{commit}",
            missing=f"{self._name!r} has no commit {commit!r} any more",
            query={"recursive": "1"},
        )
        found = await self._api.ask(question, _Tree.model_validate_json)
        files = {one.path: one.size or 0 for one in found.tree if one.type == "blob"}
        return FileList(commit=commit, files=files, whole=not found.truncated)

    async def fetch_pack(self, *, ref: str | None = None) -> Pack:
        """The commit that the ref names now, without its history, as a pack that is not unpacked here.

        Two requests of the API, then git's two. Submodules and files kept by Git LFS do not come along.

        Raises:
            InvalidRequest: It is larger than 256 MiB.
            NotFound: There is no such repository or ref; the message says which.
            ConnectorError: By the tree.
        """
        commit = await self._commit(ref)
        question = self._question(f"{self._name!r}", "", missing=f"{self._name!r} is there no more")
        found = await self._api.ask(question, _Repository.model_validate_json)
        abandoned = threading.Event()
        try:
            return await asyncio.to_thread(
                fetch_pack,
                found.clone_url,
                self._api.bearer,
                repository=self._name,
                commit=commit,
                timeout=self._api.timeout,
                abandoned=abandoned,
            )
        finally:
            abandoned.set()

    async def copy(self) -> tuple[CopiedRepository, bytes]:
        """The repository for a rehearsal: what is beside git, and a pack of all objects that is not unpacked here.

        Raises:
            InvalidRequest: It is too large.
            ConnectorError: By the tree.
        """
        question = self._question(f"{self._name!r}", "", missing=f"{self._name!r} is there no more")
        found = await self._api.ask(question, _Repository.model_validate_json)
        origin = Origin(
            clone_url=found.clone_url, token=self._api.bearer, repository=self._name, timeout=self._api.timeout
        )
        objects = await copy_objects(origin)
        pulls = await self.pulls.all_open(MOST_PULLS)
        # One from a fork has its head elsewhere, and no goal merges it.
        own = [one for one in pulls if one.head.repo is not None and one.head.repo.full_name == self._name]
        copied = CopiedRepository(
            repository=self._name,
            default_branch=found.default_branch,
            refs=dict(objects.refs),
            pulls=tuple([await self._copied_pull(one) for one in own]),
        )
        return copied, objects.content

    async def _copied_pull(self, pull: Pull) -> CopiedPull:
        reviews = await self.pulls.reviews(pull.number)
        checks = await self.pulls.checks(pull.head.sha)
        return CopiedPull(
            number=pull.number,
            title=pull.title,
            head=pull.head.ref,
            base=pull.base.ref,
            draft=pull.draft,
            commit=pull.head.sha,
            reviews=tuple(CopiedReview(person=one.person, verdict=one.verdict, commit=one.commit) for one in reviews),
            checks=tuple(CopiedCheck(name=one.name, conclusion=one.conclusion) for one in checks),
        )

    async def branch_loss(self, branch: str) -> BranchLoss:
        """Where a branch stands, and the commits that no other branch and no tag holds; see `Remote.branch_loss`."""
        return await (await self._remote()).branch_loss(branch)

    async def delete_branch(self, branch: str, *, expected_head: str, last_look: LastLook) -> bool:
        """Delete a branch that stands at this commit; whether it was there. See `Remote.delete_branch`."""
        remote = await self._remote()
        return await remote.delete_branch(branch, expected_head=expected_head, last_look=last_look)

    async def _remote(self) -> Remote:
        question = self._question(f"{self._name!r}", "", missing=f"{self._name!r} is there no more")
        found = await self._api.ask(question, _Repository.model_validate_json)
        return Remote(
            clone_url=found.clone_url,
            token=self._api.bearer,
            repository=self._name,
            timeout=self._api.timeout,
            default_branch=found.default_branch,
        )

    @property
    def checks(self) -> Checks:
        """Its check runs."""
        return Checks(self._api, self._name, self._app)

    @property
    def comments(self) -> Comments:
        """What is said on its issues and pull requests."""
        return Comments(self._api, self._name, self._app)

    @property
    def people(self) -> People:
        """Those who come to it."""
        return People(self._api, self._name)

    @property
    def pulls(self) -> Pulls:
        """Its pull requests."""
        return Pulls(self._api, self._name)

    @property
    def asked(self) -> Asked:
        """What people asked for, in their words."""
        return Asked(self._api, self._name)

    @property
    def reviews(self) -> Reviews:
        """What may be said of its pull requests."""
        return Reviews(self._api, self._name)

    @property
    def review_comments(self) -> ReviewComments:
        """What is said on lines of its pull requests."""
        return ReviewComments(self._api, self._name)

    @property
    def writes(self) -> Writes:
        """What may be written to it."""
        return Writes(self._api, self._name, self._app)

    async def _commit(self, ref: str | None) -> str:
        """The commit that a ref names. 422 is GitHub's answer to a ref it does not know, 409 to a repository's none."""
        _check_ref(ref)
        if ref is not None and _ANY_CASE.fullmatch(ref):
            ref = ref.lower()  # GitHub lets no branch have such a name
        question = self._question(
            f"{ref or _HEAD!r} of {self._name!r}",
            f"commits/{quote(ref or _HEAD, safe='')}",
            missing=f"{self._name!r} is there no more, or the App may not read it: look at the App's installation",
            accept=_SHA_ONLY,
        )
        try:
            return await self._api.ask(question, _commit_id)
        except Conflict as error:
            raise NotFound(f"{self._name!r} has no commit yet: push one first") from error
        except InvalidRequest as error:
            raise NotFound(f"{self._name!r} has no branch, tag or commit {ref or _HEAD!r}") from error

    async def _item(self, path: str, commit: str, ref: str | None) -> _Item:
        question = self._question(
            f"{path!r} of {self._name!r}",
            f"contents/{quote(path)}",
            missing=f"{self._name!r} has no file {path!r}{_at(ref)}",
            query={"ref": commit},
        )
        found = await self._api.ask(question, _CONTENTS.validate_json)
        if isinstance(found, list) or found.type == "dir":
            raise InvalidRequest(f"{path!r} of {self._name!r} is a folder; name a file in it")
        if parse_qs(urlsplit(found.url).query).get("ref", [commit]) != [commit]:
            # PyGithub follows a redirection without the query, and so reads the default branch.
            raise Conflict(f"{self._name!r} was renamed while it was read: use its new name")
        if found.type != "file":
            raise InvalidRequest(f"{path!r} of {self._name!r} is a {found.type}, which has no content of its own")
        return found

    async def _content(self, found: _Item, path: str) -> bytes:
        """Inline up to 1 MB; larger files come as a blob (GitHub's contents API then says `encoding: none`).

        Not by the raw media type, which would say neither what kind of thing it is nor its id, and which PyGithub
        decodes as text.
        """
        if found.encoding == "base64":
            return found.content
        question = self._question(
            f"{path!r} of {self._name!r}",
            f"git/blobs/{quote(found.sha, safe='')}",
            missing=f"{self._name!r} has no content for {path!r} any more",
        )
        return (await self._api.ask(question, _Blob.model_validate_json)).content

    def _question(
        self, what: str, path: str, *, missing: str, query: dict[str, str] | None = None, accept: str | None = None
    ) -> Question:
        question = Question(
            what=what,
            path=f"/repos/{self._name}/{path}".rstrip("/"),
            query=query or {},
            missing=missing,
            denied=f"GitHub refuses our token on {self._name!r}: grant the App the permission it lacks",
            unauthorized=f"GitHub's token for {self._name!r} ended before the step did: run it again",
        )
        return question if accept is None else dataclasses.replace(question, accept=accept)


def _commit_id(text: str) -> str:
    if not _COMMIT_ID.fullmatch(text.strip()):
        raise ValueError("not a commit's id")
    return text.strip()


def _at(ref: str | None) -> str:
    return f" at {ref!r}" if ref else ""


def _check_path(path: str) -> None:
    """What an HTTP client would resolve by itself must not reach it: the request would go elsewhere."""
    if path and ("\0" in path or any(part in {"", ".", ".."} for part in path.split("/"))):
        raise InvalidRequest(f"{path!r} is not a path inside the repository")


def _check_ref(ref: str | None) -> None:
    """The part of git's rules for names that matters to a URL; GitHub knows the rest."""
    if ref is not None and (not ref.isprintable() or ref in {"", "."} or ".." in ref):
        raise InvalidRequest(f"{ref!r} is not the name of a branch, tag or commit")
