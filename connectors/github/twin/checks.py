"""Check runs at the twin: like GitHub's it makes one more whenever asked, and keeps a thousand of a name and commit."""

from collections.abc import Callable
from typing import Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.bare import iso
from connectors.github.shown import Action, Annotation
from connectors.github.twin.bodies import Json
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import NOT_FOUND, Problem
from connectors.github.twin.pulls import Check, check_run
from connectors.github.twin.writes import Body, Permit, Writes, given_body, page_of

MOST_KEPT: Final = 1000
_MOST: Final = 65_535


class _Output(Body):
    title: str | None = None
    summary: str = Field(max_length=_MOST)
    text: str | None = Field(default=None, max_length=_MOST)
    annotations: list[Annotation] = Field(default_factory=list[Annotation], max_length=50)


class _Changes(Body):
    name: str | None = None
    external_id: str | None = None
    details_url: str | None = None
    status: str | None = None
    conclusion: str | None = None
    output: _Output | None = None
    actions: list[Action] | None = Field(default=None, max_length=3)


class _New(_Changes):
    name: str | None = Field(default=...)
    head_sha: str


class Checks:
    """The paths of check runs.

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
        one = f"{root}/check-runs/{{check:int}}"
        return [
            Route(f"{root}/check-runs", self.make, methods=["POST"]),
            Route(one, self.read),
            Route(one, self.change, methods=["PATCH"]),
            Route(f"{one}/annotations", self.annotations),
            Route(f"{root}/commits/{{ref}}/check-runs", self.checks),
        ]

    async def make(self, request: Request) -> Response:
        """Say how a commit does."""
        place = self._permit(request, "checks", "write")
        given, kept = await given_body(request, _New), self._writes.kept(place)
        if await place.git.resolve(given.head_sha) is None:
            raise Problem(422, f"No commit found for SHA: {given.head_sha}")
        kept.checks_made = max(kept.checks_made, len(kept.checks)) + 1
        made = Check(
            id=kept.checks_made,
            name=given.name or "",
            head_sha=given.head_sha,
            external_id=None,
            status="queued",
            conclusion=None,
            title=None,
            summary=None,
            at=iso(self._clock()),
        )
        self._apply(made, given)
        kept.checks.append(made)
        alike = [one for one in kept.checks if (one.name, one.head_sha) == (made.name, made.head_sha)]
        for one in alike[:-MOST_KEPT]:
            kept.checks.remove(one)
        self._writes.keep(place)
        return JSONResponse(check_run(place, made, self._app(request)), status_code=201)

    async def read(self, request: Request) -> Response:
        """One."""
        place = self._permit(request, "checks")
        return JSONResponse(check_run(place, self._one(request, place), self._app(request)))

    async def change(self, request: Request) -> Response:
        """Change one: a conclusion completes it, another status begins it anew, and annotations are added."""
        place = self._permit(request, "checks", "write")
        given, found = await given_body(request, _Changes), self._one(request, place)
        self._apply(found, given)
        self._writes.keep(place)
        return JSONResponse(check_run(place, found, self._app(request)))

    async def annotations(self, request: Request) -> Response:
        """The annotations of one."""
        place = self._permit(request, "checks")
        found = self._one(request, place)
        empty = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
        href = f"{place.page.url}/git/blobs/{found.head_sha}"
        return JSONResponse([empty | one | {"blob_href": href} for one in page_of(request, found.annotations)])

    async def checks(self, request: Request) -> Response:
        """The check runs of a commit, the newest first."""
        place = self._permit(request, "checks")
        sha, name = await place.git.resolve(str(request.path_params["ref"])), request.query_params.get("check_name")
        there = [one for one in self._writes.kept(place).checks if one.head_sha == sha and name in {None, one.name}]
        app = self._app(request)
        told = [check_run(place, one, app) for one in page_of(request, there[::-1])]
        return JSONResponse({"total_count": len(there), "check_runs": told})

    def _one(self, request: Request, place: Place) -> Check:
        wanted = int(request.path_params["check"])
        found = next((one for one in self._writes.kept(place).checks if one.id == wanted), None)
        if found is None:
            raise Problem(404, NOT_FOUND)
        return found

    def _apply(self, check: Check, given: _Changes) -> None:
        check.name = given.name or check.name
        check.external_id = given.external_id if given.external_id is not None else check.external_id
        check.details_url = given.details_url or check.details_url
        if given.conclusion is not None:
            check.status, check.conclusion, check.ended_at = "completed", given.conclusion, iso(self._clock())
        elif given.status is not None:
            check.status, check.conclusion, check.ended_at = given.status, None, None
        if given.output is not None:
            check.title, check.summary = given.output.title or check.title, given.output.summary
            check.text = given.output.text or check.text
            check.annotations += [one.model_dump(exclude_none=True) for one in given.output.annotations]
        if given.actions is not None:
            check.actions = [one.model_dump() for one in given.actions]
