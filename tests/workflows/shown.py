"""A gateway that keeps what it was asked to show, and shows it to nobody."""

from dataclasses import dataclass, field

from temporalio import activity

from workflows.approval.contracts import PostApproval, PostedApproval, UpdateApproval


@dataclass
class Messages:
    """What the gateway was asked to show."""

    posted: list[PostApproval] = field(default_factory=list[PostApproval])
    updates: list[UpdateApproval] = field(default_factory=list[UpdateApproval])

    @activity.defn(name="hitl.post_approval")
    async def post(self, request: PostApproval) -> PostedApproval:
        self.posted.append(request)
        return PostedApproval(channel="C0OPS", ts=f"{len(self.posted)}.0", requester="slack:U0ERIN")

    @activity.defn(name="hitl.update_approval")
    async def update(self, request: UpdateApproval) -> None:
        self.updates.append(request)
