"""The goal `PublishFlow`: a dry run shows what would become of what is live; what deletes data waits for people."""

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.estuary.contracts import (
        DELETE_FLOW,
        LOOK_AT_FLOW,
        TRY_FLOW,
        DeletedSpec,
        DeleteFlowParameters,
        ExpectedSpec,
        FlowChange,
        FlowPublished,
        FlowSpec,
        FlowTried,
        LookAtFlowRequest,
        PublishedSpec,
        PublishFlowRequest,
        TryFlowRequest,
    )
    from activities.estuary.contracts import PUBLISH_FLOW as PUBLISH
    from activities.guard.error_types import ErrorType, application_error
    from connectors.estuary.models import SUCCESS, same_id
    from connectors.estuary.specs import tenant
    from hitl.approval.plan import Change, Plan, PlanError, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import State
    from workflows.estuary.goals import PUBLISH_FLOW, PublishFlowInput, PublishFlowResult
    from workflows.goal import NotApproved
    from workflows.goal_type import goal

_REPLANS: Final = 2
"""How often it is tried anew because somebody published meanwhile."""

_LISTED: Final = 40
_LINE: Final = 400
_CHANGES: Final = {"create": Change.CREATE, "update": Change.UPDATE, "delete": Change.DELETE}


class _NothingToDo(Exception):
    """All of it is live, just so."""


@goal(PUBLISH_FLOW)
class PublishFlowWorkflow(ApprovingGoal):
    """Try, publish what deletes nothing, and ask people about all else; then look whether it is so."""

    @workflow.init
    def __init__(self, request: PublishFlowInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._tried: FlowTried | None = None
        self._known = FlowTried()

    @workflow.run
    async def run(self, request: PublishFlowInput) -> PublishFlowResult:
        """Try, publish, look; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(
            self._publish(),
            denied=lambda reason: self._result().model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _publish(self) -> PublishFlowResult:
        replans = _REPLANS
        while True:
            try:
                return await self._publish_on_what_is_live()
            except _NothingToDo:
                return self._result()
            except ApplicationError as error:
                if error.type != ErrorType.CONFLICT or replans <= 0:
                    raise
                replans -= 1
                workflow.logger.info("plans again", extra={"reason": error.message})

    async def _publish_on_what_is_live(self) -> PublishFlowResult:
        """Try, and publish exactly what was tried.

        Raises:
            ApplicationError: `Conflict`: something else is live by now.
            _NothingToDo: All of it is live.
        """
        tried = self._tried = await self._try()
        if any(one.losses for one in tried.changes):
            published = await self.approved_step(
                DELETE_FLOW, self._plan, summary=self._wanted.summary(), confirm=self._confirm_so
            )
            self.end_if_cancelled()
            return self._result(published)
        published = await self.step(
            PUBLISH,
            PublishFlowRequest(specs=self._expected(), data_plane=self._wanted.data_plane),
            summary=self._wanted.summary(),
        )
        if published.publication is not None:
            await self._require_so()
        return self._result(published)

    async def _try(self) -> FlowTried:
        """The dry run.

        Raises:
            NotApproved: Estuary finds something wrong: the goal ends as refused, and nothing was changed.
            _NothingToDo: All of it is live.
        """
        wanted = self._wanted
        tried = self._known = await self.step(
            TRY_FLOW,
            TryFlowRequest(specs=self._specs(), delete=wanted.delete, data_plane=wanted.data_plane),
            summary=f"Try {wanted.place} without publishing it",
        )
        if not self._changed():
            raise _NothingToDo
        if tried.ended != SUCCESS:
            said = "; ".join(tried.problems[:3])
            raise NotApproved(State.REFUSED, f"Estuary's dry run ended with {tried.ended}: {said}")
        return tried

    async def _plan(self) -> Plan:
        """What people are asked about: the dry run of a moment ago, or a new one where they are asked again."""
        if self._tried is None:
            await self._try()
        self._tried = None
        wanted, changed = self._wanted, self._changed()
        parameters = DeleteFlowParameters(
            account=tenant(wanted.place),
            resource=wanted.place,
            publish=tuple(PublishedSpec(**one.model_dump()) for one in self._expected()),
            delete=tuple(DeletedSpec(name=one.name, expect=one.expect) for one in changed if one.change == "delete"),
            data_plane=wanted.data_plane,
        )
        plan = Plan(
            action=DELETE_FLOW.name,
            parameters=parameters.model_dump(mode="json"),
            resources=tuple(
                Resource(kind=f"Estuary {one.type}", name=one.name, change=_CHANGES[one.change]) for one in changed
            ),
            summary=_summary(wanted, changed),
            risk=Risk.HIGH,
        )
        try:
            plan.text()
        except PlanError as error:
            raise application_error(
                ErrorType.INVALID_REQUEST, f"nobody can be asked about this: {error}. Publish less of it at once"
            ) from error
        return plan

    async def _confirm_so(self, plan: Plan, published: FlowPublished) -> None:
        del plan
        if published.publication is not None:
            await self._require_so()

    async def _require_so(self) -> None:
        """Look, by another credential: who publishes does not say what is live.

        Raises:
            ApplicationError: `OutcomeUnknown`: it is not so.
        """
        changed = self._changed()
        names = tuple(one.name for one in changed)
        seen = await self.step(
            LOOK_AT_FLOW, LookAtFlowRequest(names=names), summary=f"Verify {self._wanted.place} is published"
        )
        live = {one.name: one.publication for one in seen.specs}
        wrong = [one.name for one in changed if not _is_so(one, live.get(one.name))]
        if wrong:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"{', '.join(wrong)} is said to be published at Estuary, and what is live there does not show it: look "
                "at what happened there",
            )

    def _specs(self) -> tuple[FlowSpec, ...]:
        return tuple(one.spec() for one in self._wanted.specs)

    def _changed(self) -> tuple[FlowChange, ...]:
        return tuple(one for one in self._known.changes if one.change != "unchanged")

    def _expected(self) -> tuple[ExpectedSpec, ...]:
        expected = {one.name: one.expect for one in self._changed()}
        return tuple(
            ExpectedSpec(name=one.name, type=one.type, model=one.model, expect=expected[one.name])
            for one in self._specs()
            if one.name in expected
        )

    def _result(self, published: FlowPublished | None = None) -> PublishFlowResult:
        unchanged = tuple(one.name for one in self._known.changes if one.change == "unchanged")
        if published is None:
            return PublishFlowResult(unchanged=unchanged, problems=self._known.problems)
        told = PublishFlowResult(
            publication=published.publication, unchanged=unchanged, problems=published.problems, log=published.log
        )
        if published.publication is None:
            return told.model_copy(update={"outcome": State.REFUSED, "reason": published.why})
        done = self._changed()
        return told.model_copy(
            update={
                "published": tuple(one.name for one in done if one.change != "delete"),
                "deleted": tuple(one.name for one in done if one.change == "delete"),
            }
        )


def _is_so(change: FlowChange, live: str | None) -> bool:
    """Whether what is live can be what the change left."""
    if change.change == "delete":
        return live is None
    return live is not None and not same_id(live, change.expect)


def _summary(wanted: PublishFlowInput, changed: tuple[FlowChange, ...]) -> tuple[str, ...]:
    lost = [visible(f"{one.name}: {text}")[:_LINE] for one in changed for text in one.losses]
    kept = [f"{one.change} {one.type} {one.name}" for one in changed if not one.losses]
    lines = [*lost, *kept]
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return (visible(wanted.summary())[:_LINE], *lines[:_LISTED], *more)
