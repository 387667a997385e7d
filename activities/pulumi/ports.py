"""What the steps on stacks need: Pulumi in its containers, and what the deployment says of stacks."""

from dataclasses import dataclass
from typing import Protocol

from connectors.pulumi.stack_plan import Knowledge
from sandbox.protocol import Sandbox
from sandbox.pulumi.request import Engine, State
from sandbox.pulumi.runner import PulumiSandbox
from sandbox.spec import Limits


@dataclass(frozen=True)
class Workplace:
    """Where stacks are worked on.

    Attributes:
        pulumi: Runs Pulumi.
        sandbox: Runs what goes before: the check-out, and the fetching of packages.
        image: With Pulumi, by digest.
        limits: What a check-out may use.
    """

    pulumi: PulumiSandbox
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
    def played(self) -> bool:
        """Whether providers do nothing, and no secret is there, as in a rehearsal."""
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
