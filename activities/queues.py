"""The task queues, one per privilege: a queue is a trust boundary, and each has one worker role.

The gateway alone has three: a queue's rate is the one limit that all its workers share, and what waits for hours must
take no room from what people wait for.
"""

from enum import StrEnum
from typing import Final


class TaskQueue(StrEnum):
    """Where work is put, by what the process that takes it may do."""

    GOALS = "banksman-goals"
    """Workflows. No credential, no provider, no network but Temporal and Vault's payload key."""
    CONNECTORS = "banksman-connectors"
    """Steps that read and write. No credential that destroys."""
    SANDBOX = "banksman-sandbox"
    """Steps that run other people's code, each in a container. No credential but what was sealed for one run."""
    DESTRUCTIVE = "banksman-destructive"
    """Steps that destroy, each with a grant. The only credentials that can."""
    MODELS = "banksman-models"
    """Requests to language models. Their keys, and no other; whatever a model says is text here."""
    HITL = "banksman-hitl"
    """Messages to people. Signs decisions; no provider's credential."""
    POSTS = "banksman-hitl-posts"
    """New messages to people, of the same process. The queue itself hands out hardly more of them than Slack takes."""

    FOLLOWS = "banksman-hitl-follows"
    """Steps of the same process that wait for news of a goal, for as long as it runs."""


PEOPLE_QUEUES: Final = frozenset({TaskQueue.HITL, TaskQueue.POSTS})
"""Of steps that tell people, or ask them."""
