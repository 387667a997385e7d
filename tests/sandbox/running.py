"""What the fixtures hand to the tests, by type."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

from pydantic import SecretBytes

from sandbox.protocol import OnOutput
from sandbox.result import RunResult
from sandbox.spec import Limits

Left = Callable[[], Awaitable[list[str]]]
"""Everything of ours that is still on the engine."""


class Run(Protocol):
    """Runs one command in the provider under test."""

    def __call__(
        self,
        *argv: str,
        secrets: Mapping[str, SecretBytes] | None = None,
        on_output: OnOutput | None = None,
        limits: Limits | None = None,
        **fields: object,
    ) -> Coroutine[None, None, RunResult]: ...


class Attack(Protocol):
    """Runs an attack from inside; what it got is the answer."""

    def __call__(
        self, program: str, secrets: Mapping[str, SecretBytes] | None = None
    ) -> Coroutine[None, None, list[str]]: ...
