"""What is said on lines of a pull request at the twin, in threads: a first comment, and replies to that."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.bare import iso
from connectors.github.git import GitError, git
from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import NOT_FOUND, Problem
from connectors.github.twin.pulls import BOT, Pull, ReviewComment, person
from connectors.github.twin.trees import shown_lines
from connectors.github.twin.writes import Body, Kept, Permit, Writes, given_body, page_of

_MOST_BODY: Final = 65_536
_MOST_HUNK: Final = 12
"""Lines of a diff that GitHub shows above a comment."""


class _Reply(Body):
    body: str = Field(min_length=1, max_length=_MOST_BODY)


class ReviewComments:
    """The paths.

    Args:
        permit: Who may do what.
        writes: Keeps the comments.
        clock: Seconds since the epoch.
    """

    def __init__(self, permit: Permit, writes: Writes, clock: Callable[[], float]) -> None:
        self._permit, self._writes, self._clock = permit, writes, clock

    def routes(self) -> list[Route]:
        """The paths."""
        there = "/repos/{owner}/{name}/pulls/{number:int}/comments"
        return [
            Route(there, self.list),
            Route(f"{there}/{{comment:int}}/replies", self.reply, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """What was said on the lines of one, oldest first."""
        place = self._permit(request, "pull_requests")
        pull = self._writes.pull(request, place)
        there = [one for one in self._writes.kept(place).review_comments if one.on == pull.number]
        return JSONResponse([review_comment(place, one) for one in page_of(request, there)])

    async def reply(self, request: Request) -> Response:
        """Answer the first comment of a thread; like GitHub it takes no reply to a reply."""
        place = self._permit(request, "pull_requests", "write")
        pull, given = self._writes.pull(request, place), await given_body(request, _Reply)
        kept, wanted = self._writes.kept(place), int(request.path_params["comment"])
        first = first_of(kept, pull.number, wanted)
        if first is None:
            raise Problem(404, NOT_FOUND)
        made = replied(place, kept, first, body=given.body, at=iso(self._clock()))
        self._writes.keep(place)
        return JSONResponse(review_comment(place, made), status_code=201)


def first_of(kept: Kept, pull: int, comment: int) -> ReviewComment | None:
    """The comment of this number, where it is the first of a thread on this pull request."""
    there = (one for one in kept.review_comments if (one.id, one.on, one.reply_to) == (comment, pull, None))
    return next(there, None)


def replied(  # noqa: PLR0913 - what a reply is
    place: Place, kept: Kept, first: ReviewComment, *, body: str, at: str, person: str = ""
) -> ReviewComment:
    """One more comment of a thread."""
    made = ReviewComment(
        id=_number(place, kept),
        on=first.on,
        path=first.path,
        line=first.line,
        commit=first.commit,
        body=body,
        at=at,
        person=person,
        reply_to=first.id,
        hunk=first.hunk,
    )
    kept.review_comments.append(made)
    return made


async def require_shown(place: Place, between: tuple[str, str], path: str, line: int) -> None:
    """Go on where the diff shows that line of the file.

    Raises:
        Problem: It does not.
    """
    if line not in await shown_lines(place.git, *between, path):
        raise Problem(422, "Pull request review thread line must be part of the diff")


@dataclass(frozen=True, kw_only=True)
class LineSaid:
    """What somebody says on a line, as the file is at the commit; our App where `person` is empty."""

    path: str
    line: int
    body: str
    at: str
    person: str = ""
    review: int | None = None


async def commented(place: Place, kept: Kept, pull: Pull, between: tuple[str, str], said: LineSaid) -> ReviewComment:
    """The first comment of a thread, on a line that the diff between these two commits shows."""
    made = ReviewComment(
        id=_number(place, kept),
        on=pull.number,
        commit=between[1],
        hunk=await _hunk(place, between, said.path, said.line),
        **asdict(said),
    )
    kept.review_comments.append(made)
    return made


def review_comment(place: Place, one: ReviewComment) -> Json:
    """A comment on a line, in the shape of GitHub's description."""
    url, pull = f"{place.page.url}/pulls/comments/{one.id}", f"{place.page.url}/pulls/{one.on}"
    page = f"{place.page.html_url}/pull/{one.on}#discussion_r{one.id}"
    links = {"self": url, "html": page, "pull_request": pull}
    told: Json = {
        "id": one.id,
        "node_id": f"PRRC_{one.id}",
        "url": url,
        "html_url": page,
        "pull_request_url": pull,
        "pull_request_review_id": one.review,
        "diff_hunk": one.hunk,
        "path": one.path,
        "line": one.line,
        "original_line": one.line,
        "side": "RIGHT",
        "subject_type": "line",
        "commit_id": one.commit,
        "original_commit_id": one.commit,
        "user": person(place, one.person or BOT),
        "body": one.body,
        "created_at": one.at,
        "updated_at": one.at,
        "author_association": "NONE",
        "_links": {name: {"href": at} for name, at in links.items()},
        "start_line": None,
        "original_start_line": None,
        "start_side": None,
    }
    return told if one.reply_to is None else told | {"in_reply_to_id": one.reply_to}


def _number(place: Place, kept: Kept) -> int:
    return number(place.page.url, "review-comment", str(len(kept.review_comments)))


async def _hunk(place: Place, between: tuple[str, str], path: str, line: int) -> str:
    """The lines above it and itself, below the head of their hunk."""
    base, head = between
    try:
        out = await git("diff", "--no-renames", f"{base}...{head}", "--", f":(literal){path}", at=place.git.path)
    except GitError:
        return ""
    found: list[str] = []
    at = 0
    for text in out.decode(errors="replace").split("\n"):
        if text.startswith("@@ "):
            found, at = [text], int(text.split("+", 1)[1].split(",")[0].split(" ")[0])
        elif found and text[:1] in {"+", "-", " "}:
            found.append(text)
            if text[0] != "-":
                if at == line:
                    return "\n".join([found[0], *found[1:][-_MOST_HUNK:]])
                at += 1
    return ""
