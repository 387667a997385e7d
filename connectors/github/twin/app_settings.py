"""What an App asks of itself: who it is, where it is installed, where its webhook goes; and installations suspended."""

from collections.abc import Callable, Iterable
from typing import Final

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.twin.apps import AppHook, Apps, TwinApp, told_app, told_installation
from connectors.github.twin.bodies import Json, Site
from connectors.github.twin.contents import page_of
from connectors.github.twin.hooks import Told
from connectors.github.twin.problems import NOT_FOUND, Problem

_HIDDEN: Final = "********"


class _HookChange(BaseModel):
    """The body of a change of the webhook; what is left out stays."""

    url: str | None = None
    content_type: str | None = None
    secret: str | None = None
    insecure_ssl: str | float | None = None


class AppSettings:
    """The routes.

    Args:
        apps: All Apps.
        require_app: The one whose JWT a request carries.
        owners: Who has installed it.
        clock: Seconds since the epoch.
        tell: Tells Apps of what happened.
    """

    def __init__(
        self,
        apps: Apps,
        require_app: Callable[[Request], TwinApp],
        owners: Callable[[Request, TwinApp], list[str]],
        clock: Callable[[], float],
        tell: Callable[[Iterable[Told]], None],
    ) -> None:
        self._apps = apps
        self._require_app = require_app
        self._owners = owners
        self._clock = clock
        self._tell = tell

    def routes(self) -> list[Route]:
        """The paths."""
        one = "/app/installations/{installation:int}"
        return [
            Route("/app", self._app),
            Route("/app/hook/config", self._hook),
            Route("/app/hook/config", self._change_hook, methods=["PATCH"]),
            Route("/app/installations", self._installations),
            Route(one, self._installation),
            Route(one, self._uninstall, methods=["DELETE"]),
            Route(f"{one}/suspended", self._suspend, methods=["PUT", "DELETE"]),
        ]

    async def _app(self, request: Request) -> Response:
        return JSONResponse(told_app(_site(request), self._require_app(request)))

    async def _installations(self, request: Request) -> Response:
        app = self._require_app(request)
        there = [told_installation(_site(request), app, owner) for owner in self._owners(request, app)]
        return JSONResponse(page_of(request, there))

    async def _installation(self, request: Request) -> Response:
        app, owner = self._installed(request)
        return JSONResponse(told_installation(_site(request), app, owner))

    async def _uninstall(self, request: Request) -> Response:
        app, owner = self._installed(request)
        told = told_installation(_site(request), app, owner)
        left = {name.lower(): app.granted(name) for name in self._owners(request, app) if name != owner}
        app.on = left
        app.suspended.pop(owner.lower(), None)
        self._apps.keep()
        self._happened("deleted", app, owner, told)
        return Response(status_code=204)

    async def _suspend(self, request: Request) -> Response:
        app, owner = self._installed(request)
        if request.method == "PUT":
            app.suspended.setdefault(owner.lower(), self._clock())
        else:
            app.suspended.pop(owner.lower(), None)
        self._apps.keep()
        action = "suspend" if request.method == "PUT" else "unsuspend"
        self._happened(action, app, owner, told_installation(_site(request), app, owner))
        return Response(status_code=204)

    def _happened(self, action: str, app: TwinApp, owner: str, installation: Json) -> None:
        payload: Json = {"action": action, "installation": installation, "sender": installation["account"]}
        self._tell([Told(event="installation", payload=payload, owner=owner, app=app.number)])

    def _installed(self, request: Request) -> tuple[TwinApp, str]:
        app, wanted = self._require_app(request), int(request.path_params["installation"])
        owner = next((one for one in self._owners(request, app) if app.installation(one) == wanted), None)
        if owner is None:
            raise Problem(404, NOT_FOUND)
        return app, owner

    async def _hook(self, request: Request) -> Response:
        return JSONResponse(_told_hook(_hook_of(self._require_app(request))))

    async def _change_hook(self, request: Request) -> Response:
        hook = _hook_of(self._require_app(request))
        try:
            change = _HookChange.model_validate_json(await request.body() or b"{}")
        except ValidationError:
            raise Problem(400, "Problems parsing JSON") from None
        hook.url = change.url or hook.url
        hook.content_type = change.content_type or hook.content_type
        hook.insecure_ssl = hook.insecure_ssl if change.insecure_ssl is None else str(change.insecure_ssl)
        hook.secret = hook.secret if change.secret is None else change.secret or None
        self._apps.keep()
        return JSONResponse(_told_hook(hook))


def _hook_of(app: TwinApp) -> AppHook:
    if app.hook is None:
        raise Problem(404, NOT_FOUND)
    return app.hook


def _told_hook(hook: AppHook) -> Json:
    told: Json = {"content_type": hook.content_type, "insecure_ssl": hook.insecure_ssl, "url": hook.url}
    return told | ({"secret": _HIDDEN} if hook.secret else {})


def _site(request: Request) -> Site:
    return Site(str(request.base_url).rstrip("/"))
