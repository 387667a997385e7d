"""A kept state in the place of the one that is there: looked at first, put back once, and told by what is there then.

`pulumi stack import` asks no provider anything, so that drift is nothing here: the state's identity is all there is to
compare. An attempt after a worker died reads first: a state that is the restored one already is not put back again.
"""

import asyncio

from temporalio import activity

from activities.guard.current_attempt import Use, current_attempt
from activities.pulumi.attempts import PART, Attempts
from activities.pulumi.contracts import StackRestored
from activities.pulumi.files import StackFiles
from activities.pulumi.problems import locked, problem, raise_failed, said
from activities.pulumi.sessions import OpenStack, StackSessions
from connectors.errors import Conflict, InvalidRequest
from connectors.pulumi.approval import RestoreStateParameters
from connectors.pulumi.backup import BackupRefused, Restoration, restoration
from connectors.pulumi.outcome import Ended
from sandbox.pulumi import request as runs
from sandbox.pulumi.outcome import RunOutcome

_WHAT = "the restoring"


async def read_restoration(house: StackSessions, files: StackFiles, *, present: str, kept: str) -> Restoration:
    """What putting one kept state in the place of another comes to.

    Args:
        house: Has both.
        files: Of which stack they have to be.
        present: The artifact with the state that is there.
        kept: The artifact with the one that is put back.

    Raises:
        InvalidRequest: That is no state which can be put back here.
        ConnectorError: By the store.
    """
    content = await house.store.get(kept)
    try:
        return restoration(
            await house.store.get(present),
            content,
            project=files.project.name,
            stack=files.stack,
            commit=files.commit,
        )
    except BackupRefused as error:
        raise InvalidRequest(
            f"the artifact {kept!r} cannot be put back as the state of {files.project.name}/{files.stack}: {error}"
        ) from error


class Restoring:
    """One execution.

    Args:
        house: What the deployment gives.
        opened: The stack, with the credentials that change it.
        wanted: What was approved.
    """

    def __init__(self, house: StackSessions, opened: OpenStack, wanted: RestoreStateParameters) -> None:
        self._house, self._opened, self._wanted = house, opened, wanted
        self._attempts = Attempts(opened, _WHAT)

    async def run(self) -> StackRestored:
        """Compare, put it back, and tell what is there then.

        Raises:
            Conflict: The state is not the one that was approved; nothing was changed.
            ConnectorError: Nothing was changed, for another reason.
            SandboxError: The same.
        """
        await self._require_as_approved()
        if current_attempt().use is Use.RETRY:
            look = await self._attempts.look()
            if look.identity_before != self._wanted.state:
                return await self._told(look.state_before, "A worker was lost; this is what the state is now.")
        try:
            outcome = await self._import()
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not details.cancel_requested:
                raise  # the worker ends: another attempt reads what was done
            return await self._told(await self._attempts.state_now(), "It was cancelled.")
        return await self._ended(outcome)

    async def _import(self) -> RunOutcome:
        wanted = self._wanted
        asked = self._opened.request(runs.ImportRequest, part=PART, exported=wanted.backup, identity=wanted.state)
        opened = self._opened
        return await opened.place.pulumi.import_state(asked, opened.secrets, last_look=opened.last_look)

    async def _require_as_approved(self) -> None:
        """The artifacts are what the plan says of them.

        Raises:
            Conflict: They are not.
        """
        wanted = self._wanted
        found = await read_restoration(self._house, self._opened.files, present=wanted.exported, kept=wanted.backup)
        if (found.present, found.restored) != (wanted.state, wanted.restored):
            raise self._stale("the artifacts are of other states than the plan says")

    async def _ended(self, outcome: RunOutcome) -> StackRestored:
        if outcome.ended == "changed":
            raise self._stale("its state was changed since")
        if outcome.ended != "lost" and outcome.step("import") is None:
            raise_failed(outcome, self._opened.files, what=_WHAT, hidden=self._opened.hidden)
        if outcome.ended == "lost":
            await self._attempts.free()
        after = outcome.state_after or await self._attempts.state_now()
        told = await self._told(after, said(outcome, self._opened.hidden))
        if told.ended is Ended.REFUSED and locked(outcome):
            raise problem(outcome, self._opened.files, what=_WHAT, hidden=self._opened.hidden)
        return told

    async def _told(self, exported: str | None, words: str) -> StackRestored:
        state = (await self._house.state(exported)).identity if exported is not None else None
        ends = {self._wanted.restored: Ended.APPLIED, self._wanted.state: Ended.REFUSED}
        return StackRestored(
            ended=ends.get(state or "", Ended.UNKNOWN),
            state=state,
            exported=exported,
            replaced=self._wanted.exported,
            said=words,
        )

    def _stale(self, why: str) -> Conflict:
        files = self._opened.files
        return Conflict(
            f"{files.project.name}/{files.stack} is no longer what was approved, and nothing was changed: {why}; "
            "plan again"
        )
