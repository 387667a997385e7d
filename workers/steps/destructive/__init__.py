"""What implements steps that cannot be undone."""

from dataclasses import dataclass

from activities.guard.sequence_use import SequenceRecords
from activities.guard.withheld import DestructiveSecrets
from activities.pulumi.sessions import StackSessions
from workers.settings import Settings


@dataclass(frozen=True)
class Means:
    """What they are made of.

    Attributes:
        settings: Of this process.
        secrets: Credentials that destroy, each for one step with a grant.
        records: Of the steps of plans of many that were begun, and how they ended.
        stacks: Where Pulumi's stacks are, and the engine for them.
    """

    settings: Settings
    secrets: DestructiveSecrets
    records: SequenceRecords
    stacks: StackSessions
