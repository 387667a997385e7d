"""What an investigation and the gateway exchange, so that people read it where they were told of the goal.

The step `hitl.tell_findings` is the gateway's, on the queue `banksman-hitl`. It speaks for the notice of a running or
ended investigation alone, and of the goal alone that this was started for: both the server says.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.presets import NOTIFY
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

FINDINGS_NOTICE: Final = "FindingsNotice"
MOST_TOLD_LINES: Final = 20


class TellFindings(BaseModel):
    """`hitl.tell_findings`: one line in a thread. To be said once, however often it is tried."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lines: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=600)], ...],
        Field(min_length=1, max_length=MOST_TOLD_LINES),
    ] = Field(description="A model's words, and what it quotes.")


class ToldFindings(BaseModel):
    """Below which message it is said; without `ts` nowhere, because nobody was told of the goal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    channel: str = ""
    ts: str = ""


TELL_FINDINGS: Final = Step(
    name="hitl.tell_findings",
    request=TellFindings,
    response=ToldFindings,
    effect=Effect.WRITE,
    on=TaskQueue.HITL,
    tried=NOTIFY,
)
