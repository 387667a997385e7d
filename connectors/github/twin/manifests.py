"""An App made by a manifest, as GitHub has it: a page that asks once more, a code for one use, and the App for it.

And what a person does with an App on GitHub's pages besides: install it, and make and delete its keys. Like all pages
of the twin they ask for no account, listen on loopback, and are refused under another host name.
"""

import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.github.twin.apps import FIRST, AppHook, Apps, TwinApp, new_key, told_app
from connectors.github.twin.bodies import Site
from connectors.github.twin.pages import page, require_loopback
from connectors.github.twin.problems import NOT_FOUND, Problem

_HOUR: Final = 3600
_OBJECT: Final = TypeAdapter(dict[str, object])
_LONGEST_NAME: Final = 34
_LEVELS: Final = frozenset({"read", "write", "admin"})
_ALWAYS: Final = frozenset({"installation", "installation_repositories", "ping", "github_app_authorization"})
"""GitHub sends them to every App, and lets nobody ask for them."""
EVENT_NEEDS: Final = {
    "check_run": ("checks",),
    "check_suite": ("checks",),
    "issue_comment": ("issues", "pull_requests"),
    "issues": ("issues",),
    "pull_request": ("pull_requests",),
    "pull_request_review": ("pull_requests",),
    "pull_request_review_comment": ("pull_requests",),
    "push": ("contents",),
    "repository": ("metadata",),
}
"""Which permission an event wants: any of these."""
PERMISSIONS: Final = frozenset(
    {"actions", "administration", "checks", "contents", "deployments", "environments", "issues", "members", "metadata"}
    | {"packages", "pull_requests", "secrets", "statuses", "workflows"}
)


class _HookAttributes(BaseModel):
    url: Annotated[str, StringConstraints(pattern=r"^https?://")]
    active: bool = True


class _Manifest(BaseModel):
    """What an App is to be, as GitHub documents it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_NAME)]
    url: Annotated[str, StringConstraints(pattern=r"^https?://")]
    hook_attributes: _HookAttributes | None = None
    redirect_url: Annotated[str, StringConstraints(pattern=r"^https?://")]
    callback_urls: list[str] = Field(default_factory=list[str], max_length=10)
    setup_url: str | None = None
    description: str | None = None
    public: bool = False
    default_events: list[str] = Field(default_factory=list[str])
    default_permissions: dict[str, str] = Field(default_factory=dict[str, str])

    def problems(self, apps: Apps) -> list[str]:
        """What GitHub would not take."""
        unknown = sorted({*self.default_permissions} - PERMISSIONS)
        levels = sorted(name for name, level in self.default_permissions.items() if level not in _LEVELS)
        return [
            *([f"Name {self.name} is already taken"] if apps.called(slug_of(self.name)) else []),
            *(f"Default permission records resource is not included in the list: {name}" for name in unknown),
            *(f"Default permission records action is not included in the list: {name}" for name in levels),
            *(f"Default events {name} is not supported" for name in self.default_events if self._cannot_have(name)),
        ]

    def _cannot_have(self, event: str) -> bool:
        needs = EVENT_NEEDS.get(event, ())
        return event in _ALWAYS or not any(one in {*self.default_permissions, "metadata"} for one in needs)


@dataclass(frozen=True)
class _Waiting:
    """An App that was made, until somebody gives its code."""

    app: TwinApp
    private_key: str
    until: float


class Manifests:
    """The routes.

    Args:
        apps: All Apps.
        owners: Who has repositories here.
    """

    def __init__(self, apps: Apps, owners: Callable[[], list[str]]) -> None:
        self._apps = apps
        self._owners = owners
        self._waiting: dict[str, _Waiting] = {}

    def routes(self) -> list[Route]:
        """The paths."""
        settings, one = "/organizations/{owner}/settings/apps", "/organizations/{owner}/settings/apps/{slug}"
        return [
            Route("/app-manifests/{code}/conversions", self._convert, methods=["POST"]),
            Route(f"{settings}/new", self._page(self._ask), methods=["POST"]),
            Route(f"{settings}/from-manifest", self._page(self._make), methods=["POST"]),
            Route(one, self._page(self._settings)),
            Route(f"{one}/keys", self._page(self._new_key), methods=["POST"]),
            Route(f"{one}/keys/{{key}}/delete", self._page(self._delete_key), methods=["POST"]),
            Route("/apps/{slug}", self._page(self._settings)),
            Route("/apps/{slug}/installations/new", self._page(self._choose)),
            Route("/apps/{slug}/installations", self._page(self._install), methods=["POST"]),
        ]

    def _page(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            require_loopback(request)
            return await handler(request)

        return answer

    # The flow.

    async def _ask(self, request: Request) -> Response:
        given, text = request.query_params.get("state", ""), (await _form(request)).get("manifest", "")
        manifest, problems = self._read(text)
        if manifest is None or problems:
            return page("app_refused.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, problems=problems)
        owner, back = str(request.path_params["owner"]), urlsplit(manifest.redirect_url)
        return page(
            "app_new.html",
            # A browser holds what a form's answer redirects to against this, too.
            forms=f"'self' {back.scheme}://{back.netloc}",
            owner=owner,
            manifest=manifest,
            text=text,
            state=given,
        )

    async def _make(self, request: Request) -> Response:
        form = await _form(request)
        named = {**_object(form.get("manifest", "")), "name": form.get("name", "")}
        manifest, problems = self._read(json.dumps(named))
        if manifest is None or problems:
            return page("app_refused.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, problems=problems)
        private, public = await run_in_threadpool(new_key)
        app = self._made(manifest, str(request.path_params["owner"]), public)
        code = secrets.token_hex(20)
        self._waiting[code] = _Waiting(app, private, self._apps.clock() + _HOUR)
        query = urlencode({"code": code, **({"state": form["state"]} if form.get("state") else {})})
        joint = "&" if urlsplit(manifest.redirect_url).query else "?"
        return RedirectResponse(f"{manifest.redirect_url}{joint}{query}", status_code=HTTPStatus.FOUND)

    def _read(self, text: str) -> tuple[_Manifest | None, list[str]]:
        try:
            manifest = _Manifest.model_validate_json(text)
        except ValidationError as error:
            return None, [f"{'.'.join(map(str, one['loc'])) or 'manifest'}: {one['msg']}" for one in error.errors()]
        return manifest, manifest.problems(self._apps)

    def _made(self, manifest: _Manifest, owner: str, public: str) -> TwinApp:
        hook = manifest.hook_attributes
        made = TwinApp(
            number=max((one.number for one in self._apps.all), default=FIRST) + 1,
            slug=slug_of(manifest.name),
            name=manifest.name,
            client_id=f"Iv23li{secrets.token_hex(7)}",
            owner=owner,
            permissions={**manifest.default_permissions, "metadata": "read"},
            events=sorted(manifest.default_events),
            keys=[public],
            hook=AppHook(url=hook.url, secret=secrets.token_hex(20)) if hook else None,
            on={},
            made_at=self._apps.clock(),
            client_secret=secrets.token_hex(20),
            callbacks=list(manifest.callback_urls),
        )
        self._apps.add(made)
        return made

    async def _convert(self, request: Request) -> Response:
        waiting = self._waiting.pop(str(request.path_params["code"]), None)
        if waiting is None or waiting.until <= self._apps.clock():
            raise Problem(404, NOT_FOUND)
        app = waiting.app
        secret = app.hook.secret if app.hook else None
        given = {"client_secret": app.client_secret, "webhook_secret": secret, "pem": waiting.private_key}
        site = Site(str(request.base_url).rstrip("/"))
        return JSONResponse({**told_app(site, app), **given}, status_code=HTTPStatus.CREATED)

    # What people do with an App.

    async def _settings(self, request: Request) -> Response:
        return page("app.html", app=self._called(request), forms="'self'")

    async def _new_key(self, request: Request) -> Response:
        """A key more, as a file that is given once."""
        app = self._called(request)
        private, public = await run_in_threadpool(new_key)
        app.keys.append(public)
        self._apps.keep()
        headers = {"Content-Disposition": f'attachment; filename="{app.slug}.private-key.pem"'}
        return Response(private, media_type="application/x-pem-file", headers=headers)

    async def _delete_key(self, request: Request) -> Response:
        app, wanted = self._called(request), str(request.path_params["key"])
        left = [key for name, _, key in app.named_keys() if name != wanted]
        if not left:
            problem = "An App must have a key: make another one before you delete its last"
            return page("app_refused.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, problems=[problem])
        app.keys[:] = left
        self._apps.keep()
        return _back(app)

    async def _choose(self, request: Request) -> Response:
        return page("app_install.html", app=self._called(request), owners=self._owners(), forms="'self'")

    async def _install(self, request: Request) -> Response:
        """Install it; where it is installed, grant what it asks for now."""
        app, owner = self._called(request), (await _form(request)).get("owner", "")
        if owner not in self._owners():
            raise Problem(404, NOT_FOUND)
        if app.on is not None:
            app.on[owner.lower()] = dict(app.permissions)
        self._apps.keep()
        return _back(app)

    def _called(self, request: Request) -> TwinApp:
        found = self._apps.called(str(request.path_params["slug"]))
        if found is None:
            raise Problem(404, NOT_FOUND)
        return found


def slug_of(name: str) -> str:
    """How an App is called in addresses."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _back(app: TwinApp) -> Response:
    return RedirectResponse(f"/apps/{app.slug}", status_code=HTTPStatus.SEE_OTHER)


def _object(text: str) -> dict[str, object]:
    try:
        return _OBJECT.validate_json(text)
    except ValidationError:
        return {}


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
