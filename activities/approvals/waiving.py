"""The step that does nothing, so that the guard says by the policy whether something may be lost without a snapshot.

It is a write, which no policy allows that does not name it: silence is no.
"""

from activities.approvals.waiving_contracts import WAIVE_SNAPSHOT, SnapshotWaived, WaiveSnapshot
from activities.step import implements


class SnapshotWaiving:
    """The step."""

    @implements(WAIVE_SNAPSHOT)
    async def waive_snapshot(self, request: WaiveSnapshot) -> SnapshotWaived:
        """Answer; whoever reads the audit log finds who asked for what."""
        del request
        return SnapshotWaived()
