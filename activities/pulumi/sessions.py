"""What every step on a stack begins with: the project's files, where Pulumi runs, and the credentials of one run."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from pydantic import SecretBytes, SecretStr, ValidationError
from temporalio import activity

from activities.guard.withheld import LastLook, Withheld
from activities.pulumi.files import StackFiles
from activities.pulumi.ports import StackEngine, StackPlatform, Workplace
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.pulumi.event_reader import read_events
from connectors.pulumi.events import EventLog
from connectors.pulumi.history import Made, made_message
from connectors.pulumi.state import State, read_state
from sandbox.pulumi.outcome import RunOutcome
from sandbox.pulumi.project import StackSettings
from sandbox.pulumi.request import StackRequest
from sandbox.pulumi.runner import Secrets

SETTING: Final = "BANKSMAN_STACKS"
ROLE: Final = "state-role"
"""The field of Vault's secret that is not secret: the database role."""

_Request = TypeVar("_Request", bound=StackRequest)
_LONGEST_RUN: Final = 36


async def _only_looked_at() -> None:
    """The last look of a stack that was opened to be looked at.

    Raises:
        RuntimeError: Whatever would change it does nothing.
    """
    raise RuntimeError("this stack was opened to be looked at, and is not changed")


@dataclass(frozen=True)
class OpenStack:
    """One stack, with what a run on it takes.

    Attributes:
        place: Where it runs.
        files: The project.
        base: What all requests on it say.
        secrets: Of the run.
        last_look: What is awaited right before a run that changes the stack is given its order.
    """

    place: Workplace
    files: StackFiles
    base: StackRequest
    secrets: Secrets
    last_look: LastLook = _only_looked_at

    @property
    def hidden(self) -> tuple[bytes, ...]:
        """What must not be shown."""
        return tuple(one.get_secret_value() for one in self.secrets.values())

    def request(self, kind: type[_Request], *, part: str, **more: object) -> _Request:
        """A request on this stack.

        Args:
            kind: Which.
            part: One letter for each run of the same step: see `run_name`.
            more: What this kind has beside.

        Raises:
            InvalidRequest: It cannot be.
        """
        base = {name: getattr(self.base, name) for name in StackRequest.model_fields}
        try:
            return kind.model_validate({**base, "run_id": run_name(activity.info().attempt, part=part), **more})
        except ValidationError as error:
            raise InvalidRequest(f"this cannot be asked of Pulumi: {_first(error)}") from error


def run_name(attempt: int, *, part: str) -> str:
    """What a run of Pulumi is called, and its lock with it: known again by whoever knows the step and the attempt.

    Args:
        attempt: Of the step that runs now.
        part: One letter: `u` for what changes the stack, others for what looks at it.
    """
    info = activity.info()
    run = re.sub(r"[^a-z0-9-]", "-", (info.workflow_run_id or "none").lower())[:_LONGEST_RUN]
    which = hashlib.sha256(f"{info.activity_id}/{attempt}".encode()).hexdigest()[:10]
    return f"r{run[1:]}-{which}{part}" if run[:1] == "-" else f"{run}-{which}{part}"


class StackSessions:
    """What the deployment gives to the steps of one worker.

    Args:
        platform: What it says of stacks; None: there are none.
        engine: Where they run.
        store: Keeps artifacts.
    """

    def __init__(self, platform: StackPlatform | None, engine: StackEngine, store: ArtifactStore) -> None:
        self._platform, self.engine, self.store = platform, engine, store

    @property
    def platform(self) -> StackPlatform:
        """What the deployment says.

        Raises:
            InvalidRequest: There are no stacks here.
        """
        if self._platform is None:
            raise InvalidRequest(
                f"this worker knows of no stacks: set {SETTING} to the file that says where their state is"
            )
        return self._platform

    async def files(self, prepared: str) -> StackFiles:
        """What a step prepared.

        Raises:
            ConnectorError: By the store; `InvalidRequest` where the artifact is another thing.
        """
        try:
            return StackFiles.model_validate_json(await self.store.get(prepared))
        except ValidationError as error:
            raise InvalidRequest(f"the artifact {prepared!r} is no prepared stack: prepare it again") from error

    def open_to_change(self, files: StackFiles, secret: Withheld, *, place: Workplace, salt: str = "") -> OpenStack:
        """The same as `open`, with what a run that changes the stack needs beside."""
        opened = self.open(files, secret.fields, place=place, salt=salt)
        return replace(opened, last_look=secret.last_look)

    def open(
        self, files: StackFiles, fields: Mapping[str, SecretStr], *, place: Workplace, salt: str = ""
    ) -> OpenStack:
        """A stack that a run can be made on.

        Args:
            files: The project.
            fields: Of Vault's secret.
            place: Where it runs.
            salt: The stack's, where its own settings have none.

        Raises:
            InvalidRequest: The fields of the secret are not enough.
        """
        role = fields[ROLE].get_secret_value() if ROLE in fields else ""
        made = Made(repository=files.repository, commit=files.commit, folder=files.folder)
        try:
            base = StackRequest(
                run_id="base",
                project=files.project,
                stack=files.stack,
                settings=_salted(files.settings, salt),
                state=self.platform.state(role),
                engine=self.platform.engine(place.image, role),
                message=made_message(made),
            )
        except ValidationError as error:
            raise InvalidRequest(
                f"the stack cannot be run as Vault's secret (its field {ROLE!r}) and {SETTING} say: {_first(error)}"
            ) from error
        secrets = {
            name: SecretBytes(value.get_secret_value().encode()) for name, value in fields.items() if name != ROLE
        }
        return OpenStack(place=place, files=files, base=base, secrets=secrets)

    async def events(self, outcome: RunOutcome, step: str, opened: OpenStack) -> EventLog:
        """The event log of one command; an empty one where it left none."""
        ran = outcome.step(step)
        if ran is None or ran.events is None:
            return EventLog()
        hidden = [SecretStr(one.decode(errors="replace")) for one in opened.hidden]
        return read_events(await self.store.get(ran.events), secrets=hidden)

    async def state(self, exported: str) -> State:
        """An exported state.

        Raises:
            ConnectorError: By the store; `InvalidRequest` where the artifact is another thing.
        """
        try:
            return read_state(await self.store.get(exported))
        except ValueError as error:
            raise InvalidRequest(f"the artifact {exported!r} is no exported state") from error


def _salted(settings: StackSettings, salt: str) -> StackSettings:
    return settings.model_copy(update={"salt": salt}) if salt and settings.salt is None else settings


def _first(error: ValidationError) -> str:
    """Without the value, which may be a secret."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'][:200]}"
