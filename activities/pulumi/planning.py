"""From a preview to what people approve: the whole plan as an artifact, and the approval's one text."""

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from activities.pulumi.contracts import MAX_LINES, PreviewRequest, StackPreviewed
from activities.pulumi.sessions import OpenStack, StackSessions
from connectors.errors import InvalidRequest
from connectors.pulumi.approval import (
    DESTROY_ACTION,
    RESTORE_ACTION,
    UP_ACTION,
    ChangeParameters,
    DestroyStackParameters,
    RestoreStateParameters,
    UpdateStackParameters,
    approval_plan,
)
from connectors.pulumi.backup import Restoration
from connectors.pulumi.digests import ApprovedInputs
from connectors.pulumi.drift import DriftReport
from connectors.pulumi.rendering import headline, restoring_lines, short_lines
from connectors.pulumi.stack_plan import PlanImpossible, StackPlan, refusal, stack_plan
from hitl.approval.plan import PlanError
from sandbox.pulumi.outcome import PreviewOutcome, RunOutcome


class Planning:
    """What one preview comes to.

    Args:
        house: What the deployment gives.
        opened: The stack.
        request: What was asked for.
    """

    def __init__(self, house: StackSessions, opened: OpenStack, request: PreviewRequest) -> None:
        self._house, self._opened, self._request = house, opened, request

    async def of_update(self, outcome: PreviewOutcome) -> StackPreviewed:
        """The plan of an update.

        Raises:
            InvalidRequest: The preview is no plan, and says why.
            ConnectorError: By the store.
        """
        files, image = self._opened.files, self._opened.place.image

        def parameters(common: Mapping[str, object]) -> UpdateStackParameters:
            inputs = ApprovedInputs(
                commit=files.commit,
                program=files.program_digest,
                configuration=files.configuration_digest,
                plan_file=outcome.plan or "",
                image=image,
                program_image=image,
                state=outcome.identity_before or "",
                update_version=outcome.update_version,
            )
            return UpdateStackParameters.model_validate({**common, "inputs": inputs})

        return await self._planned(outcome, "preview", parameters, action=UP_ACTION)

    async def require_no_policy_refuses(self, outcome: PreviewOutcome) -> None:
        """A preview that failed may have done so for its policy packs, and then people hear of that.

        Raises:
            InvalidRequest: A policy refuses a resource.
            ConnectorError: By the store.
        """
        if why := refusal(await self._house.events(outcome, "preview", self._opened)):
            raise self._impossible(PlanImpossible(why))

    async def of_destruction(self, outcome: RunOutcome) -> StackPreviewed:
        """The plan of a destruction.

        Raises:
            InvalidRequest: The preview is no plan, and says why.
            ConnectorError: By the store.
        """
        own = {
            "commit": self._opened.files.commit,
            "state": outcome.identity_before,
            "update_version": outcome.update_version,
            "image": self._opened.place.image,
        }

        def parameters(common: Mapping[str, object]) -> DestroyStackParameters:
            return DestroyStackParameters.model_validate({**common, **own})

        return await self._planned(outcome, "destroy", parameters, action=DESTROY_ACTION)

    async def of_restoring(self, outcome: RunOutcome, found: Restoration, backup: str) -> StackPreviewed:
        """The plan to put a kept state back.

        Args:
            outcome: Of the look at the present state.
            found: What it comes to.
            backup: The kept state.

        Raises:
            InvalidRequest: It cannot be put before people, and says why.
            ConnectorError: By the store.
        """
        own = {
            "commit": self._opened.files.commit,
            "state": found.present,
            "backup": backup,
            "restored": found.restored,
            "image": self._opened.place.image,
        }

        def parameters(common: Mapping[str, object]) -> RestoreStateParameters:
            return RestoreStateParameters.model_validate({**common, **own})

        same = found.present == found.restored
        plan = found.plan.model_copy(update={"changes": (), "outputs": ()}) if same else found.plan
        why = "\n".join(restoring_lines(found, backup))
        return await self._told(outcome, plan, parameters, action=RESTORE_ACTION, why=why)

    async def _planned(
        self,
        outcome: RunOutcome,
        step: str,
        parameters: Callable[[Mapping[str, object]], ChangeParameters],
        *,
        action: str,
    ) -> StackPreviewed:
        plan = await self._plan(outcome, step)
        return await self._told(outcome, plan, parameters, action=action, why=self._request.why)

    async def _told(
        self,
        outcome: RunOutcome,
        plan: StackPlan,
        parameters: Callable[[Mapping[str, object]], ChangeParameters],
        *,
        action: str,
        why: str,
    ) -> StackPreviewed:
        whole = await self._house.store.put(plan.model_dump_json().encode())
        if plan.empty:
            return self._answer(outcome, plan, whole, text=None)
        try:
            told = parameters(self._common(outcome, whole))
            text = approval_plan(plan, told, action=action, why=why).text()
        except (ValidationError, PlanError) as error:
            raise self._impossible(error) from error
        return self._answer(outcome, plan, whole, text=text)

    def _common(self, outcome: RunOutcome, whole: str) -> dict[str, object]:
        files = self._opened.files
        return {
            "repository": files.repository,
            "folder": files.folder,
            "environment": self._house.platform.environment,
            "project": files.project.name,
            "stack": files.stack,
            "prepared": self._request.prepared.prepared,
            "salt": outcome.salt or "",
            "exported": outcome.state_before,
            "whole_plan": whole,
        }

    async def _plan(self, outcome: RunOutcome, step: str) -> StackPlan:
        files = self._opened.files
        log = await self._house.events(outcome, step, self._opened)
        drift = None
        if self._request.drift is not None:
            drift = DriftReport.model_validate_json(await self._house.store.get(self._request.drift))
        try:
            plan = stack_plan(log, commit=files.commit, knowledge=self._house.platform.knowledge(), drift=drift)
        except PlanImpossible as error:
            raise self._impossible(error) from error
        # An empty stack's log says of nothing which stack it is of.
        named = {"project": plan.project or files.project.name, "stack": plan.stack or files.stack}
        return plan.model_copy(update=named)

    def _impossible(self, error: Exception) -> InvalidRequest:
        files = self._opened.files
        why = error if isinstance(error, PlanImpossible | PlanError) else "what the preview left is not whole"
        return InvalidRequest(f"the preview of {files.project.name}/{files.stack} is no plan: {why}")

    def _answer(self, outcome: RunOutcome, plan: StackPlan, whole: str, *, text: str | None) -> StackPreviewed:
        return StackPreviewed(
            state=outcome.identity_before,
            exported=outcome.state_before,
            plan=text,
            whole_plan=whole,
            headline=headline(plan),
            lines=short_lines(plan, most=MAX_LINES),
        )
