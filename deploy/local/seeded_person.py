"""Decides as a person of Slack's twin, for a demonstration or a test that has none.

It clicks what the twin's page would show. Gateway and workflow see a click like any other.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from connectors.authorities import authorities

CHANNEL: Final = "C0DEPLOYS"
_POLL: Final = 0.2
_PATIENCE: Final = 60
"""Seconds."""


class _Element(BaseModel):
    model_config = ConfigDict(extra="ignore")

    action_id: str = ""


class _Block(BaseModel):
    model_config = ConfigDict(extra="ignore")

    elements: list[_Element | object] = []

    def offers(self, action: str) -> bool:
        """Whether a button for this is in it."""
        return any(isinstance(one, _Element) and one.action_id == action for one in self.elements)


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")

    request_id: str = ""


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore")

    event_payload: _Payload = _Payload()


class Message(BaseModel):
    """A message, as far as it matters here."""

    model_config = ConfigDict(extra="ignore")

    ts: str
    text: str = ""
    blocks: list[_Block] = []
    metadata: _Metadata = _Metadata()

    @property
    def approval(self) -> str:
        """The approval that it shows, if any."""
        return self.metadata.event_payload.request_id


class _Outcome(BaseModel):
    model_config = ConfigDict(extra="ignore")

    ending: str | None = None


_MESSAGES: Final = TypeAdapter(list[Message])


@dataclass(frozen=True)
class SeededPerson:
    """Somebody in the twin's workspace.

    Attributes:
        slack: The twin's address.
        user: Their member id.
    """

    slack: str
    user: str = "U0ALICE"

    def messages(self) -> Sequence[Message]:
        """What stands in the channel."""
        answer = httpx.get(f"{self.slack}/_twin/messages", params={"channel": CHANNEL}, verify=authorities())
        return _MESSAGES.validate_json(answer.raise_for_status().content)

    def offered(self, goal: str, action: str) -> Iterator[Message]:
        """The messages with a button for this, about a goal's approval."""
        return (
            one
            for one in self.messages()
            if one.approval.startswith(f"approval/{goal}/") and any(block.offers(action) for block in one.blocks)
        )

    def wait_for(self, goal: str, action: str = "approve", *, seconds: float = 60) -> Message:
        """The newest message with that button, as soon as there is one.

        Raises:
            TimeoutError: None came; the message says for which goal.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := list(self.offered(goal, action)):
                return found[-1]
            time.sleep(_POLL)
        raise TimeoutError(f"nobody was asked about the goal {goal!r} within {seconds:g} s: see `banksman approvals`")

    def click(self, message: Message, action: str) -> None:
        """Press a button, and confirm it where it asks.

        Raises:
            TimeoutError: No gateway is connected, and none came.
        """
        asked = {"user": self.user, "channel": CHANNEL, "ts": message.ts, "action_id": action}
        self._act("click", asked)

    def submit(self, **values: str) -> None:
        """Fill the modal that is open, by block id, and send it.

        Raises:
            TimeoutError: As for `click`.
        """
        self._act("submit", {"user": self.user, "values": values})

    def _act(self, what: str, asked: Mapping[str, object]) -> None:
        """Do it, and again while Slack says that nobody is there to take it: the gateway has just been started."""
        deadline = time.monotonic() + _PATIENCE
        while self._sent(what, asked).ending == "unreachable":
            if time.monotonic() > deadline:
                raise TimeoutError(f"no gateway took what was pressed in {_PATIENCE} s: see `banksman status`")
            time.sleep(_POLL)

    def _sent(self, what: str, asked: Mapping[str, object]) -> _Outcome:
        answer = httpx.post(f"{self.slack}/_twin/{what}", json=asked, timeout=10, verify=authorities())
        return _Outcome.model_validate_json(answer.raise_for_status().content)
