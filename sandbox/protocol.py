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
