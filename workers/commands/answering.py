"""How far a language model is that a goal waits for, as the beats of its step tell it."""

import contextlib

from pydantic import ValidationError
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import WorkflowExecutionDescription
from temporalio.converter import DataConverter

from activities.models.answering import Answering
from activities.models.contracts import REQUEST


async def answering(described: WorkflowExecutionDescription) -> Answering | None:
    """None where it waits for none, or no beat has come yet."""
    for step in described.raw_description.pending_activities:
        if step.activity_type.name == REQUEST.name:
            return await _told(described.data_converter, step)
    return None


async def _told(converter: DataConverter, step: PendingActivityInfo) -> Answering | None:
    if not step.HasField("heartbeat_details"):
        return None
    with contextlib.suppress(ValidationError, ValueError, RuntimeError):
        payloads = list(step.heartbeat_details.payloads)
        plain = await converter.payload_codec.decode(payloads) if converter.payload_codec else payloads
        return converter.payload_converter.from_payloads(plain[:1], [Answering])[0]
    return None
