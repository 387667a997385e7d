"""Steps that change Pulumi stacks, each by a grant, with credentials that no other process reaches."""

from typing import TypeVar

from pydantic import ValidationError

from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.pulumi.attempts import PART
from activities.pulumi.changing import Approved, Changing
from activities.pulumi.contracts import (
    DESTROY_STACK,
    RESTORE_STATE,
    UNLOCK_STACK,
    UPDATE_STACK,
    StackChanged,
    StackRestored,
    StackUnlocked,
)
from activities.pulumi.files import StackFiles
from activities.pulumi.problems import raise_failed
from activities.pulumi.restoring import Restoring
from activities.pulumi.sessions import OpenStack, StackSessions
from activities.step import implements
from connectors.errors import Conflict, InvalidRequest
from connectors.pulumi.approval import (
    ChangeParameters,
    DestroyStackParameters,
    RestoreStateParameters,
    StackParameters,
    UnlockStackParameters,
    UpdateStackParameters,
)
from connectors.pulumi.manifest import CHANGE
from connectors.pulumi.stack_plan import StackPlan
from hitl.approval.plan import PlanError
from sandbox.errors import SpecRefused
from sandbox.pulumi import request as runs
from sandbox.pulumi.outcome import OnProgress, RunOutcome

_Parameters = TypeVar("_Parameters", bound=StackParameters)


class StackDestruction:
    """The steps; for the destructive worker. They raise by the trees of connectors and sandbox, which the guard maps.

    Args:
        house: What the deployment gives.
        secrets: What changes stacks.
    """

    def __init__(self, house: StackSessions, secrets: DestructiveSecrets) -> None:
        self._house, self._secrets = house, secrets

    @implements(UPDATE_STACK)
    async def update_stack(self, request: GrantedRequest) -> StackChanged:
        """Apply the plan that was approved, to the state and the world that it was made from, or nothing.

        Raises:
            Conflict: Program, configuration, image, state or world are not what was approved; nothing was changed.
            ConnectorError: Nothing was changed, for another reason.
        """
        wanted = _parameters(request, UpdateStackParameters)
        opened = await self._open(wanted, salt=wanted.salt)
        _require_inputs(opened, wanted)

        async def change(on_progress: OnProgress, look: bool) -> RunOutcome:
            asked = opened.request(
                runs.UpRequest,
                part=PART,
                program=opened.files.program,
                plan=wanted.inputs.plan_file,
                identity=wanted.inputs.state,
                update_version=wanted.inputs.update_version,
                check_drift=look,
            )
            return await opened.place.pulumi.up(
                asked, opened.secrets, last_look=opened.last_look, on_progress=on_progress
            )

        approved = await self._approved(wanted, state=wanted.inputs.state, version=wanted.inputs.update_version)
        return await Changing(self._house, opened, approved).run(change)

    @implements(DESTROY_STACK)
    async def destroy_stack(self, request: GrantedRequest) -> StackChanged:
        """Delete what the stack holds, as it was looked at; its history stays.

        Raises:
            Conflict: State or world are not what was approved; nothing was changed.
            ConnectorError: Nothing was changed, for another reason.
        """
        wanted = _parameters(request, DestroyStackParameters)
        opened = await self._open(wanted, salt=wanted.salt)
        _require_commit(opened, wanted)

        async def change(on_progress: OnProgress, look: bool) -> RunOutcome:
            del look  # the engine compares the state; it has no plan to hold the world to
            bound = {"identity": wanted.state, "update_version": wanted.update_version}
            asked = opened.request(runs.DestroyRequest, part=PART, **bound)
            return await opened.place.pulumi.destroy(
                asked, opened.secrets, last_look=opened.last_look, on_progress=on_progress
            )

        approved = await self._approved(wanted, state=wanted.state, version=wanted.update_version)
        return await Changing(self._house, opened, approved).run(change)

    @implements(RESTORE_STATE)
    async def restore_state(self, request: GrantedRequest) -> StackRestored:
        """Put a kept state in the place of the one that was looked at; what stands outside is not touched.

        Raises:
            Conflict: The state is not what was approved, or the kept one is another; nothing was changed.
            ConnectorError: Nothing was changed, for another reason.
        """
        wanted = _parameters(request, RestoreStateParameters)
        opened = await self._open(wanted, salt=wanted.salt)
        _require_commit(opened, wanted)
        return await Restoring(self._house, opened, wanted).run()

    @implements(UNLOCK_STACK)
    async def unlock_stack(self, request: GrantedRequest) -> StackUnlocked:
        """Take away the lock that a run left which is gone; a lock of anybody else's stays.

        Raises:
            Conflict: The run still lives.
            ConnectorError: The locks cannot be looked at.
        """
        wanted = _parameters(request, UnlockStackParameters)
        opened = await self._open(wanted)
        owner = wanted.owner.removeprefix(runs.HOST_PREFIX)
        asked = opened.request(runs.UnlockRequest, part="k", owner=owner)
        try:
            outcome = await opened.place.pulumi.unlock(asked, opened.secrets, last_look=opened.last_look)
        except SpecRefused as error:
            raise Conflict(str(error)) from error
        if outcome.ended not in {"done", "changed"}:
            raise_failed(outcome, opened.files, what="the unlocking", hidden=opened.hidden)
        return StackUnlocked(released=outcome.released, owners=outcome.owners)

    async def _open(self, wanted: StackParameters, *, salt: str = "") -> OpenStack:
        """Open the stack that the grant is for."""
        here = self._house.platform.environment
        if isinstance(wanted, ChangeParameters) and wanted.environment != here:
            raise InvalidRequest(f"the plan is for {wanted.environment!r}, and this worker serves {here!r}")
        place = await self._house.engine.place()
        files = await self._house.files(wanted.prepared)
        _require_project(files, wanted)
        secret = await self._secrets.read(CHANGE, stack=wanted.stack)
        return self._house.open_to_change(files, secret, place=place, salt=salt)

    async def _approved(
        self, wanted: UpdateStackParameters | DestroyStackParameters, *, state: str, version: int | None
    ) -> Approved:
        destroy = isinstance(wanted, DestroyStackParameters)
        try:
            plan = StackPlan.model_validate_json(await self._house.store.get(wanted.whole_plan))
        except ValidationError as error:
            raise InvalidRequest(f"the artifact {wanted.whole_plan!r} is no plan of a stack; plan again") from error
        before = await self._house.state(wanted.exported)
        if before.identity != state:
            raise Conflict(f"the plan for {wanted.stack!r} was made on another state than it says; plan again")
        return Approved(
            state=state,
            version=version,
            before=before,
            planned=plan.expected,
            destroy=destroy,
            step="destroy" if destroy else "up",
        )


def _parameters(request: GrantedRequest, model: type[_Parameters]) -> _Parameters:
    try:
        return request.approved().parameters_as(model)
    except PlanError as error:
        raise InvalidRequest(str(error)) from error


def _require_project(files: StackFiles, wanted: StackParameters) -> None:
    there = (files.repository, files.folder, files.project.name, files.stack)
    if there != (wanted.repository, wanted.folder, wanted.project, wanted.stack):
        raise Conflict(f"what was prepared is of {'/'.join(there)}, and not what was approved; plan again")


def _require_commit(opened: OpenStack, wanted: DestroyStackParameters | RestoreStateParameters) -> None:
    if (opened.files.commit, opened.place.image) != (wanted.commit, wanted.image):
        raise Conflict(f"commit or image of {wanted.stack!r} are no longer what was approved; plan again")


def _require_inputs(opened: OpenStack, wanted: UpdateStackParameters) -> None:
    """Compare what is about to be run with what was approved.

    Raises:
        Conflict: With the names of what differs.
    """
    files, image = opened.files, opened.place.image
    now = wanted.inputs.model_copy(
        update={
            "commit": files.commit,
            "program": files.program_digest,
            "configuration": files.configuration_digest,
            "image": image,
            "program_image": image,
        }
    )
    if different := wanted.inputs.differences(now):
        raise Conflict(
            f"of {wanted.project}/{wanted.stack} no longer as approved: {', '.join(different)}; nothing was changed, "
            "plan again"
        )
