"""Pull requests of one repository: how they stand, and merging one at exactly the head that is named.

GitHub merges only where the head is still the one that it is told (`sha`), under its own lock. It has no such word for
the branch that is merged into: whoever asks compares that first.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from connectors.errors import Conflict, NotFound
from connectors.github.of_repository import PAGE, OfRepository

Method = Literal["merge", "squash", "rebase"]
LastLook = Callable[[], Awaitable[None]]
"""Raises where what was asked for is no longer wanted."""

_MOST_PAGES: Final = 10
_VERDICTS: Final[Mapping[str, Literal["approved", "changes_requested", "dismissed"]]] = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes_requested",
    "DISMISSED": "dismissed",
}


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _User(_Answer):
    login: str


class _Named(_Answer):
    full_name: str


class Side(_Answer):
    """A branch of a pull request, and where it stands; once merged or closed, where it stood."""

    ref: str
    sha: str
    repo: _Named | None = None


class Pull(_Answer):
    """A pull request, whole."""

    number: int
    html_url: str
    state: Literal["open", "closed"]
    title: str
    user: _User | None
    draft: bool = False
    head: Side
    base: Side
    merged: bool
    mergeable: bool | None
    mergeable_state: str
    merge_commit_sha: str | None = Field(description="Before it is merged, that of a trial.")
    merged_by: _User | None
    changed_files: int | None = None


class _Listed(_Answer):
    number: int
    base: Side


class _Opened(_Answer):
    created_at: datetime


class _Review(_Answer):
    user: _User | None
    state: str
    commit_id: str | None


class _Check(_Answer):
    name: str
    conclusion: str | None


class _Checks(_Answer):
    check_runs: list[_Check]


class _Merged(_Answer):
    sha: str


_LIST: Final = TypeAdapter(list[_Listed])
_OPENED: Final = TypeAdapter(list[_Opened])
_REVIEWS: Final = TypeAdapter(list[_Review])


@dataclass(frozen=True)
class Review:
    """The last word of one person: of those that only comment, none."""

    person: str
    verdict: Literal["approved", "changes_requested", "dismissed"]
    commit: str | None


@dataclass(frozen=True)
class Check:
    """A check run; its conclusion is None while it runs."""

    name: str
    conclusion: str | None


class Pulls(OfRepository):
    """Those of one repository, with the session's token."""

    async def get(self, number: int) -> Pull:
        """One, by its number.

        Raises:
            NotFound: There is none.
            ConnectorError: By the tree.
        """
        return await self._ask(f"pull request #{number}", f"pulls/{number}", Pull.model_validate_json)

    async def open_of(self, branch: str, *, base: str | None) -> Pull | None:
        """The open one that comes from a branch of this repository; None where there is none.

        Raises:
            Conflict: There are several, into different branches.
            ConnectorError: By the tree.
        """
        query = {"head": f"{self._name.partition('/')[0]}:{branch}", "state": "open", "per_page": str(PAGE)}
        query |= {"base": base} if base else {}
        found = await self._ask(f"pull requests of {branch!r}", "pulls", _LIST.validate_json, query=query)
        if len(found) > 1:
            into = ", ".join(sorted(repr(one.base.ref) for one in found))
            raise Conflict(f"{branch!r} of {self._name!r} has pull requests into {into}: say which by its number")
        return await self.get(found[0].number) if found else None

    async def all_open(self, most: int) -> list[Pull]:
        """The open ones, the newest first, so many at most.

        Raises:
            ConnectorError: By the tree.
        """
        query = {"state": "open", "per_page": str(min(most, PAGE))}
        found = await self._ask("pull requests", "pulls", _LIST.validate_json, query=query)
        return [await self.get(one.number) for one in found[:most]]

    async def opened(self) -> list[datetime]:
        """When those were opened that are open, the oldest hundred.

        Raises:
            ConnectorError: By the tree.
        """
        query = {"state": "open", "sort": "created", "direction": "asc", "per_page": str(PAGE)}
        found = await self._ask("pull requests", "pulls", _OPENED.validate_json, query=query)
        return [one.created_at for one in found]

    async def reviews(self, number: int) -> list[Review]:
        """What people said last of it, of its first thousand reviews.

        Raises:
            ConnectorError: By the tree.
        """
        last: dict[str, Review] = {}
        what, path = f"the reviews of #{number}", f"pulls/{number}/reviews"
        async for there in self._pages(what, path, _REVIEWS.validate_json, most=_MOST_PAGES):
            for one in there:
                if one.user is not None and (verdict := _VERDICTS.get(one.state)):
                    last[one.user.login] = Review(one.user.login, verdict, one.commit_id)
        return list(last.values())

    async def checks(self, commit: str) -> list[Check]:
        """The check runs on a commit: of each name the last, a hundred at most.

        Raises:
            ConnectorError: By the tree.
        """
        query = {"filter": "latest", "per_page": str(PAGE)}
        path = f"commits/{commit}/check-runs"
        found = await self._ask(f"the checks of {commit[:12]}", path, _Checks.model_validate_json, query=query)
        # Two Apps may have one of the same name each; the newest comes first.
        last: dict[str, Check] = {}
        for one in found.check_runs:
            last.setdefault(one.name, Check(one.name, one.conclusion))
        return list(last.values())

    async def merge(self, number: int, *, head: str, method: Method, last_look: LastLook) -> str:
        """Merge one that stands at this commit, and no other; the commit that came of it.

        Args:
            number: Of the pull request.
            head: The commit.
            method: How.
            last_look: Awaited right before; what it raises is raised.

        Raises:
            Conflict: It stands elsewhere, cannot be merged, or a rule of the repository forbids it; nothing was done.
            NotFound: There is none.
            ConnectorError: By the tree; after `Unavailable` it may be merged.
        """
        await last_look()
        body = {"sha": head, "merge_method": method}
        what = f"the merge of #{number} at {head[:12]}"
        try:
            merged = await self._ask(
                what, f"pulls/{number}/merge", _Merged.model_validate_json, body=body, changes_by="PUT"
            )
        except NotFound as error:
            raise NotFound(f"{self._name!r} has no pull request #{number} any more") from error
        return merged.sha
