"""What is said at the twin: comments on pull requests, labels and reactions."""

from collections.abc import Callable
from typing import Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.bare import iso
from connectors.github.shown import Reaction
from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import FORBIDDEN, NOT_FOUND, Problem
from connectors.github.twin.pulls import Comment, bot, issue_comment, label
from connectors.github.twin.writes import Body, Permit, Writes, given_body, page_of

_MOST_BODY: Final = 65_536


class _Comment(Body):
    body: str = Field(max_length=_MOST_BODY)


class _Labels(Body):
    labels: list[str] = Field(min_length=1)


class _Label(Body):
    name: str = Field(min_length=1, max_length=50)
    color: str = Field(default="ededed", pattern=r"^[0-9a-fA-F]{6}$")
    description: str | None = Field(default=None, max_length=100)


class _Reaction(Body):
    content: Reaction


class Talks:
    """The paths.

    Args:
        permit: Who may do what.
        writes: What a repository has besides git.
        app: What is said of the App.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, permit: Permit, writes: Writes, app: Callable[[Request], Json], clock: Callable[[], float]
    ) -> None:
        self._permit, self._writes, self._app, self._clock = permit, writes, app, clock

    def routes(self) -> list[Route]:
        """The paths."""
        root = "/repos/{owner}/{name}"
        issue, one = f"{root}/issues/{{number:int}}", f"{root}/issues/comments/{{comment:int}}"
        return [
            Route(f"{issue}/comments", self.comment, methods=["POST"]),
            Route(f"{issue}/comments", self.comments),
            Route(one, self.read),
            Route(one, self.change, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{issue}/labels", self.label, methods=["POST"]),
            Route(f"{issue}/labels/{{label}}", self.unlabel, methods=["DELETE"]),
            Route(f"{root}/labels", self.make_label, methods=["POST"]),
            Route(f"{root}/labels/{{label}}", self.read_label),
            Route(f"{one}/reactions", self.react_to_comment, methods=["POST"]),
            Route(f"{issue}/reactions", self.react, methods=["POST"]),
            Route(f"{root}/pulls/comments/{{comment:int}}/reactions", self.react_to_line, methods=["POST"]),
        ]

    async def comment(self, request: Request) -> Response:
        """Say something on a pull request, or on an issue."""
        place = self._writing(request)
        kept, about = self._writes.kept(place), self._writes.thread(request, place)
        given, now = await given_body(request, _Comment), iso(self._clock())
        made = Comment(
            id=number(place.page.url, str(len(kept.comments))), on=about.number, body=given.body, at=now, changed=now
        )
        kept.comments.append(made)
        self._writes.keep(place)
        return JSONResponse(issue_comment(place, made, self._app(request)), status_code=201)

    async def comments(self, request: Request) -> Response:
        """What was said on one, oldest first."""
        place = self._reading(request)
        about, app = self._writes.thread(request, place), self._app(request)
        there = [one for one in self._writes.kept(place).comments if one.on == about.number and not one.gone]
        return JSONResponse([issue_comment(place, one, app) for one in page_of(request, there)])

    async def read(self, request: Request) -> Response:
        """One comment."""
        place = self._reading(request)
        return JSONResponse(issue_comment(place, self._one(request, place), self._app(request)))

    async def change(self, request: Request) -> Response:
        """Say something else in its place."""
        place = self._writing(request)
        given, found = await given_body(request, _Comment), self._one(request, place)
        if found.person:
            raise Problem(403, FORBIDDEN)
        found.body, found.changed = given.body, iso(self._clock())
        self._writes.keep(place)
        return JSONResponse(issue_comment(place, found, self._app(request)))

    async def delete(self, request: Request) -> Response:
        """Take one away."""
        place = self._writing(request)
        self._one(request, place).gone = True
        self._writes.keep(place)
        return Response(status_code=204)

    async def label(self, request: Request) -> Response:
        """Put labels on one; those it has stay, once, and those that are none yet are made."""
        place = self._writing(request)
        about, kept = self._writes.thread(request, place), self._writes.kept(place)
        given = await given_body(request, _Labels)
        about.labels = list(dict.fromkeys([*about.labels, *given.labels]))
        kept.labels = list(dict.fromkeys([*kept.labels, *given.labels]))
        self._writes.keep(place)
        return JSONResponse([label(place, one) for one in about.labels])

    async def unlabel(self, request: Request) -> Response:
        """Take one off."""
        place = self._writing(request)
        about, wanted = self._writes.thread(request, place), str(request.path_params["label"])
        if wanted not in about.labels:
            raise Problem(404, "Label does not exist")
        about.labels.remove(wanted)
        self._writes.keep(place)
        return JSONResponse([label(place, one) for one in about.labels])

    async def make_label(self, request: Request) -> Response:
        """Make one that is not there yet."""
        place = self._writing(request)
        given, kept = await given_body(request, _Label), self._writes.kept(place)
        if given.name in kept.labels:
            raise Problem(422, "Validation Failed")
        kept.labels.append(given.name)
        self._writes.keep(place)
        told = label(place, given.name) | {"color": given.color, "description": given.description}
        return JSONResponse(told, status_code=201)

    async def read_label(self, request: Request) -> Response:
        """One label of the repository."""
        place, wanted = self._reading(request), str(request.path_params["label"])
        if wanted not in self._writes.kept(place).labels:
            raise Problem(404, NOT_FOUND)
        return JSONResponse(label(place, wanted))

    async def react_to_comment(self, request: Request) -> Response:
        """React to a comment."""
        place = self._writing(request)
        return await self._react(request, place, f"comment {self._one(request, place).id}")

    async def react(self, request: Request) -> Response:
        """React to a pull request, or to an issue."""
        place = self._writing(request)
        return await self._react(request, place, f"issue {self._writes.thread(request, place).number}")

    async def react_to_line(self, request: Request) -> Response:
        """React to a comment on a line."""
        place = self._permit(request, "pull_requests", "write")
        wanted, there = int(request.path_params["comment"]), self._writes.kept(place).review_comments
        if not any(one.id == wanted for one in there):
            raise Problem(404, NOT_FOUND)
        return await self._react(request, place, f"review comment {wanted}")

    async def _react(self, request: Request, place: Place, to: str) -> Response:
        """Once: the same reaction again is answered with the one that is there."""
        given, kept = await given_body(request, _Reaction), self._writes.kept(place)
        there = next((one for one in kept.reactions if one[:2] == (to, given.content)), None)
        made = there or (to, given.content, len(kept.reactions) + 1)
        if there is None:
            kept.reactions.append(made)
            self._writes.keep(place)
        told = {
            "id": made[2],
            "node_id": f"REA_{made[2]}",
            "user": bot(place),
            "content": given.content,
            "created_at": iso(self._clock()),
        }
        return JSONResponse(told, status_code=201 if there is None else 200)

    def _one(self, request: Request, place: Place) -> Comment:
        wanted, there = int(request.path_params["comment"]), self._writes.kept(place).comments
        found = next((one for one in there if one.id == wanted and not one.gone), None)
        if found is None:
            raise Problem(404, NOT_FOUND)
        return found

    def _reading(self, request: Request) -> Place:
        return self._either(request, "read")

    def _writing(self, request: Request) -> Place:
        return self._either(request, "write")

    def _either(self, request: Request, level: str) -> Place:
        """GitHub takes a token for issues, or one for pull requests."""
        try:
            return self._permit(request, "issues", level)
        except Problem as refused:
            if refused.status_code != 403:  # noqa: PLR2004 - it is not there at all
                raise
            return self._permit(request, "pull_requests", level)
