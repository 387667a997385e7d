"""How pages are rendered: everything escaped, whole without scripts, nothing from elsewhere, nothing kept."""

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from hitl.approval.plan import Change, Cost
from hitl.console.access.headers import SCRIPTS, safe_headers
from hitl.console.access.visitors import Visitor, Visitors
from hitl.console.goals.timeline import lasted
from hitl.console.settings import ConsoleSettings
from hitl.gateway.decisions import PolicyInForce
from hitl.hidden import unhidden, visible
from hitl.protocol import Phase

_HERE: Final = Path(__file__).parent
_STATIC: Final = {"console.css": "text/css", "mark.svg": "image/svg+xml", **dict.fromkeys(SCRIPTS, "text/javascript")}
_WORST_FIRST: Final = (Change.DELETE, Change.REPLACE, Change.UPDATE, Change.CREATE)
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


class Pages:
    """Renders the templates beside this file."""

    def __init__(self, settings: ConsoleSettings, visitors: Visitors, *, policy: PolicyInForce) -> None:
        self._policy = policy
        self.environment = policy.environment
        # Also on a page that says that something broke, which no middleware sees.
        self._headers = safe_headers(settings.origin)
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_seen,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., object]] = {
            "moment": _moment,
            "iso": _iso,
            "ago": _ago,
            "money": _money,
            "visible": visible,
            "quoted": shlex.quote,
            "words": _words,
            "lasted": lasted,
            "person": self._person,
        }
        self._environment.filters.update(filters)
        self._always: Mapping[str, object] = {
            "environment": self.environment,
            "form": visitors.form,
            "workflow_link": settings.workflow_link,
            "trace_link": settings.trace_link,
            "pull_link": settings.pull_link,
            "code_link": settings.code_link,
            "development": not settings.vouched,
            "changes": _WORST_FIRST,
        }

    def _person(self, identity: str | None) -> str:
        """Who asked: by the name that the policy has for them, where it has one."""
        if not identity:
            return "somebody not known yet"
        name = self._policy.current().people.requester(identity)
        return f"{name} ({visible(identity)})" if name and name != identity else visible(identity)

    def render(
        self, name: str, visitor: Visitor | None, *, status: int = HTTPStatus.OK, **values: object
    ) -> HTMLResponse:
        """A page, as this visitor sees it."""
        shown: dict[str, object] = {"visitor": visitor, "phase": self._phase() if visitor else None, **values}
        page = self._environment.get_template(name).render({**self._always, "here": name, **shown})
        return HTMLResponse(page, status_code=status, headers=self._headers)

    def message(self, title: str, text: str, *, status: int, visitor: Visitor | None = None) -> HTMLResponse:
        """A page that says one thing."""
        return self.render("message.html", visitor, status=status, title=title, text=text)

    def _phase(self) -> Phase:
        return self._policy.current().environments[self._policy.environment].phase

    async def static(self, request: Request) -> Response:
        """Style sheet, mark and scripts."""
        name = str(request.path_params["name"])
        if name not in _STATIC:
            return self.message("Not found", f"There is no file {name!r} here.", status=HTTPStatus.NOT_FOUND)
        headers = {"Cache-Control": "no-cache"}
        return FileResponse(_HERE / "static" / name, media_type=_STATIC[name], headers=headers)


def _seen(value: object) -> object:
    """Whatever a template writes, with what hides written out: no template has to think of it.

    Raw names (ids, parameters) pass `visible` before, and what a form keeps passes `e`, which leaves it as it is.
    """
    return unhidden(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds")


def _ago(value: datetime) -> str:
    """How long ago, or how long from now."""
    seconds = (datetime.now(UTC) - value).total_seconds()
    size = abs(seconds)
    if size < _MINUTE:
        return "just now" if seconds >= 0 else "in under a minute"
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if size >= unit:
            count = int(size // unit)
            text = f"{count} {name}{'s' if count > 1 else ''}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    raise AssertionError(size)


def _money(cost: Cost) -> str:
    per = {"once": "once", "hour": "an hour", "month": "a month"}[cost.per]
    return f"${cost.usd_cents / 100:,.2f} {per}"


def _words(value: object) -> str:
    """`changes_requested` as people say it."""
    return str(value).replace("_", " ")
