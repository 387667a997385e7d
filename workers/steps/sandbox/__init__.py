"""What implements steps that run other people's code."""

from dataclasses import dataclass

from activities.pulumi.sessions import StackSessions
from activities.sandbox.sessions import HeldSessions
from connectors.vault import VaultSession
from sandbox.tools.rules import ToolRules
from workers.sandbox import Provision


@dataclass(frozen=True)
class Means:
    """What they are made of.

    Attributes:
        vault: The process's own standing: it opens what other steps sealed for one run.
        provision: A sandbox that passed its self-test.
        stacks: Where Pulumi's stacks are, on the same engine.
        held: The sessions of this process.
        tools: What tools may write and run in them.
    """

    vault: VaultSession
    provision: Provision
    stacks: StackSessions
    held: HeldSessions
    tools: ToolRules
