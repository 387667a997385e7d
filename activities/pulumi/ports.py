"""What the steps on stacks need: Pulumi in its containers, artifacts, Vault, and what the deployment says of stacks."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pydantic import SecretBytes, SecretStr

from activities.guard.withheld import LastLook
from activities.secrets import StepToken
from connectors.pulumi.stack_plan import Knowledge
from sandbox.protocol import Sandbox
from sandbox.pulumi.outcome import OnProgress, PreviewOutcome, ReadOutcome, RunOutcome, UnlockOutcome
from sandbox.pulumi.request import (
    DestroyRequest,
    Engine,
    ImportRequest,
    PreviewRequest,
    ReadRequest,
    RefreshRequest,
    State,
    UnlockRequest,
    UpRequest,
)
from sandbox.spec import Limits

Secrets = Mapping[str, SecretBytes]


class PulumiRuns(Protocol):
    """Pulumi's operations; see `sandbox.pulumi.runner.PulumiSandbox`, which is one.

    Those that change a stack await `last_look` right before the run is given its order, and raise what it raises.
    """

    async def preview(
        self, request: PreviewRequest, secrets: Secrets, *, on_progress: OnProgress | None = None
    ) -> PreviewOutcome:
        """Plan what the program wants."""
        ...

    async def up(
        self, request: UpRequest, secrets: Secrets, *, last_look: LastLook, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """Apply a plan to the state that it was made from, or nothing."""
        ...

    async def refresh(
        self, request: RefreshRequest, secrets: Secrets, *, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """Compare the state with what is there."""
        ...

    async def preview_destroy(
        self, request: DestroyRequest, secrets: Secrets, *, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """List what the stack holds and would be deleted."""
        ...

    async def destroy(
        self, request: DestroyRequest, secrets: Secrets, *, last_look: LastLook, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """Delete what the stack holds."""
        ...

    async def history(self, request: ReadRequest, secrets: Secrets) -> ReadOutcome:
        """Every deployment of the stack, the newest first."""
        ...

    async def export_state(self, request: ReadRequest, secrets: Secrets) -> ReadOutcome:
        """The whole state, its secrets encrypted."""
        ...

    async def import_state(self, request: ImportRequest, secrets: Secrets, *, last_look: LastLook) -> RunOutcome:
        """Put an exported state in the place of the one that was looked at, or nothing."""
        ...

    async def locks(self, request: ReadRequest, secrets: Secrets) -> UnlockOutcome:
        """Who holds locks of the stack."""
        ...

    async def unlock(self, request: UnlockRequest, secrets: Secrets, *, last_look: LastLook) -> UnlockOutcome:
        """Take away the lock of a run that is gone."""
        ...

    async def lives(self, run_id: str) -> bool:
        """Whether the container of that run's engine is still there."""
        ...


@dataclass(frozen=True)
class Workplace:
    """Where stacks are worked on.

    Attributes:
        pulumi: Runs Pulumi.
        sandbox: Runs what goes before: the check-out, and the fetching of packages.
        image: With Pulumi, by digest.
        limits: What a check-out may use.
    """

    pulumi: PulumiRuns
    sandbox: Sandbox
    image: str
    limits: Limits


class StackEngine(Protocol):
    """The container engine, as far as stacks need it."""

    async def place(self) -> Workplace:
        """Where stacks are worked on now.

        Raises:
            Unavailable: There is no engine yet, or no image with Pulumi: tried again later.
        """
        ...


class StackPlatform(Protocol):
    """What the deployment says of the stacks of this process's environment."""

    @property
    def environment(self) -> str:
        """Of the policy."""
        ...

    @property
    def libraries(self) -> str | None:
        """The purpose by which a program's packages are fetched; None: none may be."""
        ...

    def state(self, role: str) -> State:
        """Where states are, for this database role.

        Raises:
            ValueError: That is no role.
        """
        ...

    def engine(self, image: str, role: str) -> Engine:
        """Where Pulumi itself runs, for this database role.

        Raises:
            ValueError: That is no role.
        """
        ...

    def knowledge(self) -> Knowledge:
        """What plans and drift are judged by, as of today."""
        ...


class Artifacts(Protocol):
    """Keeps what is too large for a history, under the digest of its content."""

    async def put(self, content: bytes) -> str:
        """Keep these bytes; the answer names them."""
        ...

    async def get(self, reference: str) -> bytes:
        """The bytes behind a reference."""
        ...


class LookToken(StepToken, Protocol):
    """A step's token that can seal what it read."""

    async def seal(self, secrets: Mapping[str, SecretStr], *, run: str, ttl: timedelta) -> str:
        """These secrets for one run of the sandbox worker's, as text that may stand in a history."""
        ...


class LookTokens(Protocol):
    """Makes such tokens."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[LookToken]:
        """A token from the token role named like the action, for as long as the block runs."""
        ...
