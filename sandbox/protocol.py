"""What every provider of sandboxes promises. The suite in tests/sandbox/conformance checks each promise."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

from pydantic import SecretBytes

from sandbox.result import RunResult
from sandbox.spec import RunSpec

StreamName = Literal["stdout", "stderr"]
OnOutput = Callable[[StreamName, bytes], None]
LastLook = Callable[[], Awaitable[None]]
"""Raises where what a run is for is no longer wanted."""


class ArtifactStore(Protocol):
    """Keeps bytes under the digest of their content; implementations live outside of this package."""

    async def put(self, content: bytes) -> str:
        """Keep these bytes and answer `sha256:` and their digest."""
        ...

    async def get(self, reference: str) -> bytes:
        """The bytes behind a reference."""
        ...


class Sandbox(Protocol):
    """Runs one untrusted command at a time in a fresh container, as often and as concurrently as asked."""

    async def run(
        self,
        spec: RunSpec,
        *,
        secrets: Mapping[str, SecretBytes] | None = None,
        on_output: OnOutput | None = None,
        last_look: LastLook | None = None,
    ) -> RunResult:
        """Run the command to its end.

        Cancelling this call kills everything in the container before it returns.

        Args:
            spec: What to run.
            secrets: File names and contents; the command finds them in `/run/secrets`, mode 0400, and they are gone
                when it has ended.
            on_output: Called with each piece of the head of the outputs as it comes.
            last_look: Awaited right before the command starts; what it raises ends the run.

        Raises:
            SandboxUnavailable: The provider failed; the command may have run in part.
            ImageMissing: The provider does not have the image.
            SpecRefused: The purpose does not exist here, or the inputs cannot be placed.
        """
        ...

    async def self_test(self, image: str) -> None:
        """Try from inside what must be impossible.

        Args:
            image: The base image, by digest.

        Raises:
            IsolationMissing: Something was possible; nothing may run here.
        """
        ...

    async def close(self) -> None:
        """End what runs and leave nothing behind."""
        ...


class Session(Protocol):
    """One container that runs one command after another on the same work tree; nothing of a command outlives it."""

    @property
    def lost(self) -> bool:
        """Whether it is known to be gone: closed, killed, or ended by itself."""
        ...

    async def run(self, spec: RunSpec) -> RunResult:
        """Run one more command to its end; only one runs at a time.

        Where nobody can tell how a command ended, or the call is cancelled, the session is closed: whole or gone.

        Raises:
            SandboxUnavailable: It is lost.
            SpecRefused: The inputs cannot be placed; it is closed.
        """
        ...

    async def close(self) -> None:
        """Remove it; it may be gone already."""
        ...


class Sessions(Protocol):
    """Opens sessions."""

    async def open_session(self, spec: RunSpec, *, seconds: float) -> tuple[Session, RunResult]:
        """Run a first command, and keep its container.

        Args:
            spec: What to run; without a network.
            seconds: After which nobody needs it, so that what a dead worker left is removed.

        Raises:
            SandboxError: As for `Sandbox.run`; nothing is left.
        """
        ...
