"""The approval that a page is about."""

from http import HTTPStatus

from hitl.console.access.visitors import Refused
from hitl.console.ports import Approvals, ShownApproval


async def find_approval(approvals: Approvals, approval_id: str) -> ShownApproval:
    """The approval of that id.

    Raises:
        Refused: There is none.
        Unavailable: Nobody can say now.
    """
    shown = await approvals.show(approval_id) if approval_id else None
    if shown is None:
        text = f"There is no approval {approval_id!r}; it may be too old to be kept."
        raise Refused(HTTPStatus.NOT_FOUND, "No such approval", text)
    return shown
