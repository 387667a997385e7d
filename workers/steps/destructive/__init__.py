"""What implements steps that cannot be undone."""

from dataclasses import dataclass

from activities.guard.withheld import DestructiveSecrets
from activities.pulumi.sessions import StackSessions
from workers.settings import Settings


@dataclass(frozen=True)
class Means:
    """What they are made of.

    Attributes:
        settings: Of this process.
        secrets: Credentials that destroy, each for one step with a grant.
        stacks: Where Pulumi's stacks are, and the engine for them.
    """

    settings: Settings
    secrets: DestructiveSecrets
    stacks: StackSessions
