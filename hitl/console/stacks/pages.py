"""The pages of a stack's whole plan: a part of it beside the approval, one change alone, and all of it to be taken."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.access.visitors import Refused, Visitors
from hitl.console.inbox.looking import find_approval
from hitl.console.pages import Pages
from hitl.console.ports import Approvals, ShownApproval
from hitl.console.stacks.plans import FoundStackPlan, StackPlans
from hitl.console.stacks.shown import StackShown
from hitl.console.stacks.view import shown_alone, shown_part

_MOST_DIGITS: Final = 6


class StackPages:
    """The routes, and what the pages of an approval show of a stack."""

    def __init__(self, approvals: Approvals, plans: StackPlans, *, visitors: Visitors, pages: Pages) -> None:
        self._approvals = approvals
        self._plans = plans
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route("/approval/change", self._change), Route("/approval/stack-plan", self._bytes)]

    async def part(self, shown: ShownApproval, number: str = "1") -> StackShown | None:
        """A part of the whole plan, by its number as a link has it; None for an approval of something else.

        Raises:
            Refused: It has no such part.
        """
        found = await self._plans.of(shown.row.plan)
        if found is None:
            return None
        part = shown_part(found, _number(number))
        if part is None:
            raise Refused(HTTPStatus.NOT_FOUND, "No such part", f"The plan has no part {number[:20]!r}.")
        return part

    async def _change(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        shown, found = await self._found(request)
        number = request.query_params.get("n", "")
        change = shown_alone(found, _number(number))
        if change is None:
            raise Refused(HTTPStatus.NOT_FOUND, "No such change", f"The plan has no change {number[:20]!r}.")
        return self._pages.render("change.html", visitor, shown=shown, change=change, digest=found.digest)

    async def _bytes(self, request: Request) -> Response:
        """The whole, byte for byte: its SHA-256 is the digest among what is signed."""
        self._visitors.visitor(request)
        _, found = await self._found(request)
        name = f"stack-plan-{found.digest.removeprefix('sha256:')[:12]}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(found.content, media_type="application/json", headers=headers)

    async def _found(self, request: Request) -> tuple[ShownApproval, FoundStackPlan]:
        shown = await find_approval(self._approvals, request.query_params.get("id", ""))
        found = await self._plans.of(shown.row.plan)
        if found is None or found.plan is None:
            text = found.problem if found else "This approval is not about a change of a stack."
            raise Refused(HTTPStatus.NOT_FOUND, "No whole plan", text)
        return shown, found


def _number(text: str) -> int:
    """A number of a link; -1 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else -1
