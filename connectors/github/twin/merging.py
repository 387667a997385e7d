"""What the twin says of one pull request, and how it merges one: by git itself, and at the head that it is told.

Like GitHub it works out whether something can be merged only when it is asked, and says so at the next look.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.bare import iso
from connectors.github.git import GitError, git
from connectors.github.twin import trees
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import Problem
from connectors.github.twin.pulls import BOT, Mergeability, Pull, Review, pull_request, review
from connectors.github.twin.review_comments import LineSaid, commented, require_shown
from connectors.github.twin.writes import Body, Permit, Writes, given_body

_REVIEWS: Final = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


class Merge(Body):
    """How it is to be merged."""

    sha: str | None = None
    merge_method: Literal["merge", "squash", "rebase"] = "merge"
    commit_title: str | None = None
    commit_message: str | None = None


class _LineComment(Body):
    path: str
    body: str = Field(min_length=1)
    line: int = Field(ge=1)
    side: Literal["LEFT", "RIGHT"] = "RIGHT"
    start_line: int | None = None
    start_side: Literal["LEFT", "RIGHT"] | None = None


class _NewReview(Body):
    event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]
    body: str = ""
    commit_id: str | None = None
    comments: list[_LineComment] = Field(default_factory=list[_LineComment])


class Merging:
    """The paths.

    Args:
        permit: Who may do what.
        writes: Keeps the pull requests.
        required: Check runs that must have succeeded, by OWNER/NAME.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        permit: Permit,
        writes: Writes,
        required: Mapping[str, frozenset[str]],
        clock: Callable[[], float],
    ) -> None:
        self._permit, self._writes, self._required, self._clock = permit, writes, required, clock

    def routes(self) -> list[Route]:
        """The paths."""
        pull = "/repos/{owner}/{name}/pulls/{number:int}"
        return [
            Route(pull, self.pull),
            Route(f"{pull}/merge", self.merge, methods=["PUT"]),
            Route(f"{pull}/reviews", self.reviews),
            Route(f"{pull}/reviews", self.review, methods=["POST"]),
        ]

    async def pull(self, request: Request) -> Response:
        """One pull request, whole."""
        place = self._permit(request, "pull_requests")
        await self._writes.close_abandoned(place)
        pull = self._writes.pull(request, place)
        return JSONResponse(await pull_request(place, pull, whole=await self._asked(place, pull)))

    async def merge(self, request: Request) -> Response:
        """Merge it, where it still stands at that head."""
        place = self._permit(request, "contents", "write")
        pull, given = self._writes.pull(request, place), await given_body(request, Merge)
        made = await self.merged(place, pull, given)
        return JSONResponse({"sha": made, "merged": True, "message": "Pull Request successfully merged"})

    async def merged(self, place: Place, pull: Pull, given: Merge) -> str:
        """Merge it, whoever wants it; the commit that came of it.

        Raises:
            Problem: It stands elsewhere, or cannot be merged.
        """
        head, base = await heads(place, pull)
        if pull.state != "open":
            raise Problem(405, "Pull Request is not mergeable")
        if given.sha not in {None, head}:
            raise Problem(409, "Head branch was modified. Review and try the merge again.")
        if pull.draft:
            raise Problem(405, "Pull Request is still a draft")
        if missing := self._missing(place, head):
            raise Problem(405, f'Required status check "{missing[0]}" is expected.')
        title = given.commit_title or f"Merge pull request #{pull.number} from {place.page.owner}/{pull.head}"
        made = await _made(place, pull, given.merge_method, (head, base), message=title)
        if made is None:
            raise Problem(405, "Pull Request is not mergeable")
        try:
            await git("update-ref", f"refs/heads/{pull.base}", made, base, at=place.git.path)
        except GitError:
            raise Problem(405, "Base branch was modified. Review and try the merge again.") from None
        self._end(place, pull, head=head, commit=made)
        return made

    async def reviews(self, request: Request) -> Response:
        """What was said of it, oldest first."""
        place = self._permit(request, "pull_requests")
        pull = self._writes.pull(request, place)
        size, page = int(request.query_params.get("per_page", 30)), int(request.query_params.get("page", 1))
        there = pull.reviews[(page - 1) * size : page * size]
        return JSONResponse([review(place, pull, one) for one in there])

    async def review(self, request: Request) -> Response:
        """Say something of it. Nobody approves what is their own, and at the twin all is the App's."""
        place = self._permit(request, "pull_requests", "write")
        pull, given = self._writes.pull(request, place), await given_body(request, _NewReview)
        if given.event == "APPROVE":
            raise Problem(422, "Can not approve your own pull request")
        head, base = await heads(place, pull)
        commit = given.commit_id or head
        for one in given.comments:
            await require_shown(place, (base, commit), one.path, one.line)
        made = Review(
            id=len(pull.reviews) + 1,
            person=BOT,
            state=_REVIEWS[given.event],
            commit=commit,
            body=given.body,
            at=iso(self._clock()),
        )
        pull.reviews.append(made)
        for one in given.comments:
            line = LineSaid(path=one.path, line=one.line, body=one.body, at=made.at, review=made.id)
            await commented(place, self._writes.kept(place), pull, (base, commit), line)
        self._writes.keep(place)
        return JSONResponse(review(place, pull, made))

    async def _asked(self, place: Place, pull: Pull) -> Mergeability:
        if pull.state != "open":
            return Mergeability()
        head, base = await heads(place, pull)
        if head != base and await trees.is_ancestor(place.git, head, base):
            # Somebody pushed it there by hand, or the process ended in the middle of a merge: GitHub calls it merged.
            self._end(place, pull, head=head, commit=base)
            return Mergeability()
        if pull.looked_at != (head, base):
            pull.looked_at = (head, base)
            return Mergeability()
        if await trees.merged_tree(place.git, base, head) is None:
            return Mergeability(can=False, state="dirty")
        if pull.draft:
            return Mergeability(can=True, state="draft")
        return Mergeability(can=True, state="blocked" if self._missing(place, head) else "clean")

    def _missing(self, place: Place, head: str) -> list[str]:
        """The required checks that have not succeeded on the head."""
        wanted = self._required.get(f"{place.page.owner}/{place.page.name}", frozenset())
        last = {one.name: one.conclusion for one in self._writes.kept(place).checks if one.head_sha == head}
        return sorted(name for name in wanted if last.get(name) not in {"success", "neutral", "skipped"})

    def _end(self, place: Place, pull: Pull, *, head: str, commit: str) -> None:
        pull.state, pull.ended_at, pull.head_then, pull.merge_commit = "closed", iso(self._clock()), head, commit
        self._writes.keep(place)


async def heads(place: Place, pull: Pull) -> tuple[str, str]:
    """Where both branches of a pull request stand: its own, and the one that it goes into."""
    head = pull.head_then or await place.git.resolve(f"refs/heads/{pull.head}") or "0" * 40
    return head, await place.git.resolve(f"refs/heads/{pull.base}") or "0" * 40


async def _made(place: Place, pull: Pull, method: str, stand: tuple[str, str], *, message: str) -> str | None:
    """The commit that the merge leads to; None where the two conflict."""
    head, base = stand
    if method == "rebase":
        return await trees.rebased(place.git, base, head)
    if method == "squash":
        return await trees.squashed(place.git, base, head, f"{pull.title} (#{pull.number})")
    return await trees.merge_commit(place.git, base, head, message)
