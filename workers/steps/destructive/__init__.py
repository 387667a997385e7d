"""What implements steps that cannot be undone."""

from dataclasses import dataclass

from activities.guard.sequence_use import SequenceRecords
from activities.guard.withheld import DestructiveSecrets, DestructiveTokens
from activities.neon.migrations.destruction import MigrationEngine
from activities.pulumi.sessions import StackSessions
from connectors.vault.step_token import StepToken
from workers.settings import Settings


@dataclass(frozen=True)
class Means:
    """What they are made of.

    Attributes:
        settings: Of this process.
        secrets: Credentials that destroy, each for one step with a grant.
        tokens: The same, for what is made of a token and ends with it.
        records: Of the steps of plans of many that were begun, and how they ended.
        stacks: Where Pulumi's stacks are, and the engine for them.
        engine: The same engine, for migrations.
    """

    settings: Settings
    secrets: DestructiveSecrets
    tokens: DestructiveTokens[StepToken]
    records: SequenceRecords
    stacks: StackSessions
    engine: MigrationEngine
