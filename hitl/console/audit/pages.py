"""The pages of the audit log: events that are looked for, the same to take, and whether all of it is whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.guard.audit import AuditRecord
from hitl.console.access.visitors import Refused, Visitors
from hitl.console.audit.book import AuditLine
from hitl.console.audit.filter import EFFECTS, VERDICTS, AuditFilter, touched
from hitl.console.pages import Pages
from hitl.console.ports import Audit
from observability.redaction import redact
from workflows.approval.contracts import APPROVAL_WORKFLOW
from workflows.catalogue import find_goal
from workflows.github.job_contracts import GITHUB_JOB

MOST: Final = 50
MOST_TAKEN: Final = 1000
_NOTHING: Final = dict.fromkeys(AuditRecord.model_fields)
_LONGEST_PAGE: Final = 4000
"""Characters of the address of a page: a place in each of twenty files, and room."""


@dataclass(frozen=True, kw_only=True)
class EventShown:
    """One event, for a page: what a secret could stand in is masked.

    Attributes:
        told: Its fields, as the log spells them; empty for what is no record.
        touches: What the step touched.
        link: The page of the goal or approval that it is about; empty where it has none here.
    """

    told: Mapping[str, object]
    touches: Mapping[str, str]
    link: str
    role: str
    at: int
    record: AuditRecord | None


class AuditPages:
    """The routes."""

    def __init__(self, audit: Audit, *, visitors: Visitors, pages: Pages) -> None:
        self._audit = audit
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/audit", self._list),
            Route("/audit/events", self._take),
            Route("/audit/check", self._check),
        ]

    async def _list(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        wanted, page = AuditFilter.read(request.query_params), _page(request)
        found = await self._audit.found(wanted, page, most=MOST)
        return self._pages.render(
            "audit.html",
            visitor,
            found=found,
            events=[_shown(one) for one in found.lines],
            page=page,
            wanted=wanted,
            effects=EFFECTS,
            verdicts=VERDICTS,
            most_taken=MOST_TAKEN,
        )

    async def _take(self, request: Request) -> Response:
        """The same events as JSON: bounded, and saying whether there are more."""
        self._visitors.visitor(request)
        wanted = AuditFilter.read(request.query_params)
        found = await self._audit.found(wanted, _page(request), most=MOST_TAKEN)
        told = {
            "environment": self._pages.environment,
            "filter": wanted.address(),
            "looked_at": found.looked_at,
            "next": found.next,
            "events": [_taken(one) for one in found.lines],
        }
        headers = {"Content-Disposition": 'attachment; filename="audit-events.json"'}
        return Response(json.dumps(told, indent=1), media_type="application/json", headers=headers)

    async def _check(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        return self._pages.render("audit_check.html", visitor, found=await self._audit.check())


def _page(request: Request) -> str | None:
    page = request.query_params.get("page") or None
    if page is not None and len(page) > _LONGEST_PAGE:
        raise Refused(HTTPStatus.BAD_REQUEST, "Too long", "There is no such page of the log.")
    return page


def _shown(line: AuditLine) -> EventShown:
    record = line.record
    return EventShown(
        told={**_NOTHING, **_masked(record)} if record is not None else {},
        touches=touched({name: str(value) for name, value in _context(record).items()}),
        link=_link(record) if record is not None else "",
        role=line.role,
        at=line.at,
        record=record,
    )


def _context(record: AuditRecord | None) -> Mapping[str, object]:
    return cast("Mapping[str, object]", _masked(record)["context"]) if record is not None else {}


def _taken(line: AuditLine) -> Mapping[str, object]:
    if line.record is None:
        return {"role": line.role, "at": line.at, "problem": "no record: edited, or not written by us"}
    return _masked(line.record)


def _masked(record: AuditRecord) -> Mapping[str, object]:
    """The record without what has the shape of a secret. It should have none; if it has, it ends here."""
    return cast("Mapping[str, object]", redact.value(record.model_dump(mode="json")))


def _link(record: AuditRecord) -> str:
    kind, id = record.workflow_type, record.workflow_id  # noqa: A001 - as the address names it
    if not kind or not id:
        return ""
    if kind == APPROVAL_WORKFLOW:
        return f"/approval?{urlencode({'id': id})}"
    if find_goal(kind) is None and kind != GITHUB_JOB.name:
        return ""
    return f"/goal?{urlencode({'id': id, 'run': record.run_id or ''})}"
