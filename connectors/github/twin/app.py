"""GitHub's twin: its REST paths, error bodies and limits, over real bare git repositories on disk.

What it answers is checked in tests against GitHub's published description. Like GitHub it says 404 for what a token
may not see, and 403 for what a token that sees the repository may not do.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.github.bare import BareRepository, iso
from connectors.github.manifest import APP
from connectors.github.permissions import of_app
from connectors.github.twin.acts import Acts
from connectors.github.twin.app_settings import AppSettings
from connectors.github.twin.apps import AppHook, Apps, TwinApp, first_app, told_app, told_installation
from connectors.github.twin.auth import Authority, InstallationToken
from connectors.github.twin.bodies import Json, RepositoryPage, Site
from connectors.github.twin.checks import Checks
from connectors.github.twin.contents import Contents, Place, page_of
from connectors.github.twin.git import git_routes
from connectors.github.twin.happenings import Happenings
from connectors.github.twin.hooks import Hooks
from connectors.github.twin.issues import Issues
from connectors.github.twin.limits import ApiGate, Limits, Meter
from connectors.github.twin.manifests import Manifests
from connectors.github.twin.merging import Merging, heads
from connectors.github.twin.moving import Elsewhere, Moves
from connectors.github.twin.pages import Pages
from connectors.github.twin.people import People, Role
from connectors.github.twin.problems import FORBIDDEN, NOT_FOUND, Problem, answer_problem
from connectors.github.twin.review_comments import ReviewComments
from connectors.github.twin.sign_in import SignIns, accounts_of
from connectors.github.twin.talks import Talks
from connectors.github.twin.telling import Teller
from connectors.github.twin.writes import Writes
from connectors.twins.faults import FaultInjector

_NOT_COVERED: Final = (
    "There is at least one repository that does not exist or is not accessible to the parent installation."
)
_BEARERS: Final = frozenset({"bearer", "token"})
_SUSPENDED: Final = "This installation has been suspended"


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        repositories: A folder with OWNER/NAME.git in it.
        client_id: The GitHub App's.
        public_key: PEM; the App's public key.
        listen: host:port.
        installed: OWNER/NAME that the App is installed on; all there are when None.
        permissions: What the installation was granted.
        token_seconds: How long an installation token lives.
        beside: A folder for pull requests and what else git does not keep; None: it lives as long as the process.
        required: Check runs that must have succeeded before a pull request is merged, by OWNER/NAME.
        collaborators: The role of each login, by OWNER/NAME.
        topics: By OWNER/NAME.
        archived: OWNER/NAME of those that nobody writes to any more, as lists tell it.
        hook: Where the App's events go, until somebody changes it; None where nobody listens.
        client_secret: What the App signs people in with; None where nobody signs in by it.
        callbacks: Where people who sign in may be sent back to, to the letter.
        accounts: The number of an account whose login has changed hands; every other login has its own.
        members: Who is in an organisation, `acme`, or in a team of it, `acme/platform`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repositories: Path
    client_id: str
    public_key: str
    listen: str = "127.0.0.1:8300"
    installed: frozenset[str] | None = None
    permissions: dict[str, str] = Field(default_factory=lambda: of_app(APP))
    limits: Limits = Limits()
    token_seconds: float = 3600
    beside: Path | None = None
    required: dict[str, frozenset[str]] = Field(default_factory=dict[str, frozenset[str]])
    collaborators: dict[str, dict[str, Role]] = Field(default_factory=dict[str, dict[str, Role]])
    topics: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    archived: frozenset[str] = frozenset()
    hook: AppHook | None = None
    client_secret: str | None = Field(default=None, repr=False)
    callbacks: list[str] = Field(default_factory=list[str])
    accounts: dict[str, int] = Field(default_factory=dict[str, int])
    members: dict[str, frozenset[str]] = Field(default_factory=dict[str, frozenset[str]])

    @property
    def logins(self) -> set[str]:
        """Everybody who has an account."""
        named = [*self.collaborators.values(), *self.members.values(), self.accounts]
        return {login for people in named for login in people}


class _NarrowTo(BaseModel):
    """The body of a request for a token."""

    repositories: list[str] | None = None
    repository_ids: list[int] | None = None
    permissions: dict[str, str] | None = None


class _Twin:
    """The state behind the routes."""

    def __init__(self, config: TwinConfig, clock: Callable[[], float]) -> None:
        self.config = config
        first = first_app(config.client_id, config.public_key, config.permissions, made_at=clock())
        first.hook, first.client_secret, first.callbacks = config.hook, config.client_secret, config.callbacks
        self.apps = Apps(first, clock, config.beside / "apps.json" if config.beside else None)
        self.authority = Authority(self.apps, clock, token_seconds=config.token_seconds)
        self.moves = Moves(config.beside / "moves.json" if config.beside else None)
        self.meter = Meter(config.limits, clock)

    # Who asks, and for what.

    def require_app(self, request: Request) -> TwinApp:
        """The App whose JWT it is."""
        found = self.authority.app(_bearer(request))
        if isinstance(found, str):
            raise Problem(401, found)
        return found

    def _require_token(self, request: Request) -> InstallationToken:
        found = self.authority.find(_bearer(request))
        if found is None:
            raise Problem(401, "Bad credentials")
        if found.app is not None and found.owner.lower() in found.app.suspended:
            raise Problem(403, _SUSPENDED)
        return found

    def readable(self, request: Request, permission: str = "contents", level: str = "read") -> Place:
        """The repository of the path, when the caller's token may read it, or do more by `level`."""
        if "authorization" not in request.headers:
            raise Problem(404, NOT_FOUND)  # all repositories are private
        token = self._require_token(request)
        found = self._place(request)
        if found is None or not token.covers(found.page.owner, found.page.name):
            raise Problem(404, NOT_FOUND)
        if not token.permits(permission, level):
            raise Problem(403, FORBIDDEN)
        return found

    def _place(self, request: Request) -> Place | None:
        """By comparing names, never by joining what a caller sent to a path; case does not matter, as with GitHub."""
        wanted = str(request.path_params["owner"]).lower(), str(request.path_params["name"]).lower()
        there = self.places(request)
        return next((one for one in there if (one.page.owner.lower(), one.page.name.lower()) == wanted), None)

    def places(self, request: Request) -> list[Place]:
        """Every repository there is."""
        site, folders = _site(request), sorted(self.config.repositories.glob("*/*.git"))
        return [Place(self._page(site, folder), BareRepository(folder)) for folder in folders]

    def _page(self, site: Site, folder: Path) -> RepositoryPage:
        owner, name = folder.parent.name, folder.stem
        one = self.moves.number(owner, name)
        return RepositoryPage(site, owner, name, id=one, archived=self.moves.is_archived(one))

    def _is_installed(self, app: TwinApp, place: Place) -> bool:
        named = f"{place.page.owner}/{place.page.name}"
        installed = self.config.installed if app is self.apps.first else None
        return app.is_on(place.page.owner) and (installed is None or named in installed)

    def owners(self, request: Request, app: TwinApp) -> list[str]:
        """Who has installed the App."""
        return sorted({place.page.owner for place in self.places(request) if self._is_installed(app, place)})

    # The App.

    def app_of(self, request: Request) -> TwinApp:
        """The App whose token it is; else the one that the twin was started with."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = self.authority.find(token) if scheme.lower() in _BEARERS else None
        return found.app if found and found.app else self.apps.first

    def told_app(self, request: Request) -> Json:
        """What is said of the App whose token it is, where it wrote something."""
        return told_app(_site(request), self.app_of(request))

    async def installation(self, request: Request) -> Response:
        app = self.require_app(request)
        place = self._place(request)
        if place is None or not self._is_installed(app, place):
            raise Problem(404, NOT_FOUND)
        return JSONResponse(told_installation(_site(request), app, place.page.owner))

    async def access_token(self, request: Request) -> Response:
        app = self.require_app(request)
        wanted_id = int(request.path_params["installation"])
        owner = next((one for one in self.owners(request, app) if app.installation(one) == wanted_id), None)
        if owner is None:
            raise Problem(404, NOT_FOUND)
        if owner.lower() in app.suspended:
            raise Problem(403, _SUSPENDED)
        try:
            wanted = _NarrowTo.model_validate_json(await request.body() or b"{}")
        except ValidationError:
            raise Problem(400, "Problems parsing JSON") from None
        permissions = _narrowed(app.granted(owner), wanted.permissions)
        covered = self._covered(request, app, owner, wanted)
        token, expires = self.authority.mint(owner, frozenset(place.page.name for place in covered), permissions, app)
        body: Json = {
            "token": token,
            "expires_at": iso(expires),
            "permissions": permissions,
            "repository_selection": "selected",
            "repositories": [_told(place) for place in covered],
        }
        return JSONResponse(body, status_code=201)

    def _covered(self, request: Request, app: TwinApp, owner: str, wanted: _NarrowTo) -> list[Place]:
        there = [
            place for place in self.places(request) if self._is_installed(app, place) and place.page.owner == owner
        ]
        if wanted.repositories is None and wanted.repository_ids is None:
            return there
        names = {name.lower() for name in wanted.repositories or ()}
        ids = set(wanted.repository_ids or ())
        named = [place for place in there if place.page.name.lower() in names]
        numbered = [place for place in there if place.page.number in ids]
        if (len(named), len(numbered)) != (len(names), len(ids)):
            raise Problem(422, _NOT_COVERED)
        return [*named, *(place for place in numbered if place not in named)]

    async def revoke(self, request: Request) -> Response:
        self._require_token(request)
        self.authority.revoke(_bearer(request))
        return Response(status_code=204)

    async def covered(self, request: Request) -> Response:
        """What the token covers, by pages."""
        token = self._require_token(request)
        there = [one for one in self.places(request) if token.covers(one.page.owner, one.page.name)]
        listed = [self._listed(one) for one in page_of(request, there)]
        return JSONResponse({"total_count": len(there), "repositories": listed})

    def _listed(self, place: Place) -> Json:
        name = f"{place.page.owner}/{place.page.name}"
        return _told(place) | {
            "topics": list(self.config.topics.get(name, ())),
            "archived": name in self.config.archived,
        }

    async def rate_limit(self, request: Request) -> Response:
        self._require_token(request)
        told = {name.removeprefix("x-ratelimit-"): value for name, value in self.meter.headers().items()}
        core = {name: int(told[name]) for name in ("limit", "remaining", "reset", "used")}
        return JSONResponse({"resources": {"core": core, "search": core}, "rate": core})

    # The repository.

    async def repository(self, request: Request) -> Response:
        return JSONResponse(_told(self.readable(request, "metadata")))


def _routes(twin: _Twin, writes: Writes, clock: Callable[[], float]) -> list[BaseRoute]:
    """The paths that are the same for everybody who asks."""
    repository = "/repos/{owner}/{name}"
    return [
        *Manifests(
            twin.apps, lambda: sorted({place.parent.name for place in twin.config.repositories.glob("*/*.git")})
        ).routes(),
        Route("/app/installations/{installation:int}/access_tokens", twin.access_token, methods=["POST"]),
        Route("/installation/token", twin.revoke, methods=["DELETE"]),
        Route("/installation/repositories", twin.covered),
        Route("/rate_limit", twin.rate_limit),
        Route(repository, twin.repository),
        Route(f"{repository}/installation", twin.installation),
        # First: a commit's own path takes a ref with slashes, and would take what lies under it.
        *writes.routes(),
        *People(twin.readable, twin.config.collaborators).routes(),
        *Checks(twin.readable, writes, twin.told_app, clock).routes(),
        *Talks(twin.readable, writes, twin.told_app, clock).routes(),
        *Issues(twin.readable, writes, clock).routes(),
        *ReviewComments(twin.readable, writes, clock).routes(),
        *Contents(twin.readable, twin.config.limits).routes(),
        *git_routes(twin.authority, twin.config.repositories),
        *Pages(twin.places, writes.kept).routes(),
    ]


def create_twin(config: TwinConfig, *, clock: Callable[[], float] = time.time) -> Starlette:
    """The twin as an application, with its faults in front.

    `app.state.authority` knows its tokens, and `app.state.writes` what git does not keep.
    """
    twin = _Twin(config, clock)
    writes = Writes(twin.readable, clock, beside=config.beside)
    merging = Merging(twin.readable, writes, config.required, clock)
    hooks = Hooks(twin.apps, twin.require_app, clock)
    sign_ins = SignIns(twin.apps, accounts_of(config.logins, config.accounts), config.members, clock)
    routes: list[BaseRoute] = [
        *hooks.routes(),
        *sign_ins.routes(),
        *AppSettings(twin.apps, twin.require_app, twin.owners, clock, hooks.tell).routes(),
        *merging.routes(),
        *_routes(twin, writes, clock),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(FaultInjector),
            Middleware(ApiGate, meter=twin.meter),
            Middleware(Elsewhere, moves=twin.moves, places=twin.places),
            Middleware(
                Teller,
                hooks=hooks,
                happenings=Happenings(writes.kept, lambda place: told_app(place.page.site, twin.apps.first)),
                places=twin.places,
                app_of=twin.app_of,
                acts=Acts(writes.kept, merging.merged, heads, clock),
                kept=writes.kept,
                keep=writes.keep,
                rekeep=writes.rekeep,
                moves=twin.moves,
            ),
        ],
        exception_handlers={HTTPException: answer_problem, 500: answer_problem},
    )
    app.state.authority = twin.authority
    app.state.apps = twin.apps
    app.state.writes = writes
    app.state.sign_ins = sign_ins
    return app


def _narrowed(granted: Mapping[str, str], wanted: Mapping[str, str] | None) -> dict[str, str]:
    if wanted is None:
        return dict(granted)
    if not InstallationToken.allows(granted, wanted):
        raise Problem(422, "The permissions requested are not granted to this installation.")
    return {**wanted, "metadata": "read"}


def _told(place: Place) -> Json:
    changed = datetime.fromtimestamp(place.git.path.stat().st_mtime, UTC)
    return place.page.repository(place.git.default_branch(), changed=changed)


def _site(request: Request) -> Site:
    return Site(str(request.base_url).rstrip("/"))


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() not in _BEARERS or not token:
        raise Problem(401, "Requires authentication")
    return token
