"""The pages of approvals: what waits, what was decided, one of them whole, and deciding on it.

A GET only shows. The page that asks 'are you sure' carries a form signed for this session, this approval, this plan's
digest and one verdict; the moment it was made counts as the click, so that sending it twice is one click.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.approval.decision import Surface, Verdict
from hitl.approval.step_up import NotConfirmed
from hitl.console.access.tokens import Form
from hitl.console.access.visitors import Filled, Refused, Visitor, Visitors
from hitl.console.inbox.awaited import Awaited, awaited
from hitl.console.inbox.confirming import Confirming
from hitl.console.inbox.looking import find_approval
from hitl.console.pages import Pages
from hitl.console.ports import ApprovalRow, Approvals, Decide, ShownApproval
from hitl.console.stacks.pages import StackPages
from hitl.gateway.decisions import Click, Kind, PolicyInForce
from hitl.hidden import nothing_hidden
from workflows.approval.contracts import ApprovalOutcome

DECIDE: Final = "/approval/decide"
MAX_REASON: Final = 500
_STATUS: Final = {
    Kind.COUNTED: HTTPStatus.OK,
    Kind.REFUSED: HTTPStatus.CONFLICT,
    Kind.UNCONFIRMED: HTTPStatus.SERVICE_UNAVAILABLE,
}
_OUTCOMES: Final[tuple[ApprovalOutcome, ...]] = get_args(ApprovalOutcome)
_SAYS_WHY: Final = frozenset({Verdict.REJECT, Verdict.REQUEST_CHANGES})
"""Verdicts that need a reason: somebody will act on it."""


class DecidingPages:
    """The routes."""

    def __init__(  # noqa: PLR0913 - what it is wired from
        self,
        approvals: Approvals,
        decide: Decide,
        *,
        policy: PolicyInForce,
        confirming: Confirming,
        stacks: StackPages,
        visitors: Visitors,
        pages: Pages,
    ) -> None:
        self._approvals = approvals
        self._decide = decide
        self._policy = policy
        self._confirming = confirming
        self._stacks = stacks
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self._waiting),
            Route("/decided", self._decided),
            Route("/approval", self._show),
            Route("/approval/plan", self._bytes),
            Route(DECIDE, self._ask, methods=["GET"]),
            Route(DECIDE, self._answer, methods=["POST"]),
        ]

    async def _waiting(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        page = request.query_params.get("page")
        found = await self._approvals.waiting(page)
        waits = {row.id: self._awaited(row, visitor) for row in found.rows}
        return self._pages.render("waiting.html", visitor, found=found, page=page, waits=waits)

    async def _decided(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        page, outcome = request.query_params.get("page"), _outcome(request.query_params.get("outcome", ""))
        found = await self._approvals.decided(page, outcome=outcome)
        return self._pages.render("decided.html", visitor, found=found, page=page, outcome=outcome, outcomes=_OUTCOMES)

    async def _show(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        shown = await self._find(request.query_params.get("id", ""))
        waits = self._awaited(shown.row, visitor)
        stack = await self._stacks.part(shown, request.query_params.get("part", "1"))
        return self._pages.render("approval.html", visitor, shown=shown, stack=stack, waits=waits, link=_link)

    async def _bytes(self, request: Request) -> Response:
        """The plan's text alone, byte for byte, so that anybody can take its digest."""
        self._visitors.visitor(request)
        shown = await self._find(request.query_params.get("id", ""))
        name = f"plan-{shown.digest.removeprefix('sha256:')[:12]}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(shown.text.encode(), media_type="application/json", headers=headers)

    async def _ask(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        shown = await self._find(request.query_params.get("id", ""))
        verdict = _verdict(request.query_params.get("verdict", ""))
        if verdict not in self._awaited(shown.row, visitor).verdicts:
            text = "This is not yours to decide so, or no longer open; look at it again."
            raise Refused(HTTPStatus.CONFLICT, "Nothing to decide", text)
        return await self._sure(visitor, shown, verdict)

    async def _answer(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        filled = await self._visitors.filled(request, visitor)
        form, reason = filled.form, " ".join(filled.fields.get("reason", "").split())
        if form.verdict is None:
            raise Refused(HTTPStatus.BAD_REQUEST, "Nothing was done", "This form decides nothing.")
        if problem := _problem(form.verdict, reason):
            shown = await self._find(form.about)
            return await self._sure(visitor, shown, form.verdict, problem=problem, reason=reason)
        try:
            step_up = await self._confirming.answered(form, visitor, filled.fields)
        except NotConfirmed as error:
            shown = await self._find(form.about)
            return await self._sure(visitor, shown, form.verdict, problem=f"Not confirmed: {error}", reason=reason)
        outcome = await self._decide.decide(
            Click(
                approval_id=form.about,
                digest=form.digest,
                identity=visitor.identity,
                verdict=form.verdict,
                reason=reason,
                surface=Surface.CONSOLE,
                clicked_at=form.at,
                step_up=step_up,
            )
        )
        values = self._told(filled, reason)
        return self._pages.render("outcome.html", visitor, status=_STATUS[outcome.kind], outcome=outcome, **values)

    def _told(self, filled: Filled, reason: str) -> Mapping[str, object]:
        """What the page after a click needs, to offer the very same click once more; a key confirms each anew."""
        token = "" if filled.form.nonce else filled.token
        return {"token": token, "reason": reason, "approval": filled.form.about, "verdict": filled.form.verdict}

    async def _sure(
        self, visitor: Visitor, shown: ShownApproval, verdict: Verdict, *, problem: str = "", reason: str = ""
    ) -> Response:
        form = Form(
            session=visitor.session,
            path=DECIDE,
            about=shown.row.id,
            digest=shown.digest,
            verdict=verdict,
            at=datetime.now(UTC),
        )
        by_key = verdict is Verdict.APPROVE and self._confirming.wants_key(shown.row, visitor)
        if by_key:
            form = self._confirming.asking(form, shown)
        return self._pages.render(
            "decide.html",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
            shown=shown,
            stack=await self._stacks.part(shown),
            verdict=verdict,
            token=self._visitors.sealed(form),
            key=self._confirming.asked(form, visitor) if by_key else None,
            problem=problem,
            reason=reason,
            needs_reason=verdict in _SAYS_WHY,
            most=MAX_REASON,
        )

    async def _find(self, approval_id: str) -> ShownApproval:
        return await find_approval(self._approvals, approval_id)

    def _awaited(self, row: ApprovalRow, visitor: Visitor) -> Awaited:
        return awaited(row, visitor, self._policy.current(), environment=self._policy.environment)


def _outcome(text: str) -> ApprovalOutcome | None:
    """How those ended that are asked for; None for all of them."""
    found: ApprovalOutcome | None = next((outcome for outcome in _OUTCOMES if outcome == text), None)
    if text and found is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "No such outcome", f"No approval ends as {text!r}.")
    return found


def _verdict(text: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "No such verdict", f"{text!r} is nothing that one can decide.") from None


def _problem(verdict: Verdict, reason: str) -> str:
    """Why the reason cannot be taken; empty when it can."""
    if verdict in _SAYS_WHY and not reason:
        return "Say why: whoever asked has to know what to do about it."
    if len(reason) > MAX_REASON:
        return f"Write at most {MAX_REASON} characters; these are {len(reason)}."
    try:
        nothing_hidden(reason)
    except ValueError as error:
        return f"The reason {error}."
    return ""


def _link(approval_id: str, verdict: Verdict) -> str:
    return f"{DECIDE}?{urlencode({'id': approval_id, 'verdict': verdict.value})}"
