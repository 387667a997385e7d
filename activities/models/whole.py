"""A prompt with every text inline, as a backend is told it: what is new whole, and of what is older what has room."""

from typing import Final

from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.models.messages import MOST_LOADED, Message, Part, Prompt, Text, ToolResult, texts

LEFT_OUT: Final = "(left out: the conversation has become too long)"
"""What a model is told in place of a result."""


async def whole(prompt: Prompt, artifacts: ArtifactStore, before: tuple[Message, ...] = ()) -> tuple[Prompt, int]:
    """The prompt after all that was said before it, every text inline.

    Where all of that is too long, the oldest results of tools are left out: a model can ask for them again.

    Returns:
        It, and how many results are left out.

    Raises:
        InvalidRequest: Without those it is too long, or an artifact is no text.
        ConnectorError: The artifact store does not have one, or does not answer.
    """
    loaded = _Loaded(artifacts)
    told = prompt.model_copy(
        update={
            "instructions": await loaded.text(prompt.instructions),
            "messages": tuple([await loaded.message(one, results=True) for one in prompt.messages]),
        }
    )
    older = [await loaded.message(one, results=False) for one in before]
    size = sum(len(one.text) for one in texts(told)) + sum(map(_own, older))
    if size > MOST_LOADED:
        raise InvalidRequest(f"the request comes to {size} characters, and {MOST_LOADED} is the most: shorten it")
    fitted, left_out = await _fitted(older, loaded, MOST_LOADED - size)
    return told.model_copy(update={"messages": (*fitted, *told.messages)}), left_out


class _Loaded:
    """Texts of artifacts, each read once."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._texts: dict[str, str] = {}

    async def text(self, one: Text) -> Text:
        return Text(text=await self.of(one.reference)) if one.reference else one

    async def result(self, one: ToolResult) -> ToolResult:
        if not one.reference:
            return one
        return one.model_copy(update={"text": await self.of(one.reference), "reference": None})

    async def message(self, message: Message, *, results: bool) -> Message:
        """With its texts, and with its results where they are wanted."""
        parts: list[Part] = []
        for part in message.parts:
            match part:
                case Text():
                    parts.append(await self.text(part))
                case ToolResult() if results:
                    parts.append(await self.result(part))
                case _:
                    parts.append(part)
        return message.model_copy(update={"parts": tuple(parts)})

    async def of(self, reference: str) -> str:
        if reference not in self._texts:
            self._texts[reference] = _decoded(reference, await self._artifacts.get(reference))
        return self._texts[reference]


async def _fitted(messages: list[Message], loaded: _Loaded, room: int) -> tuple[tuple[Message, ...], int]:
    """The messages with their results, the newest first, for as long as these have room."""
    found: list[Message] = []
    left_out = 0
    for message in reversed(messages):
        parts: list[Part] = []
        for part in reversed(message.parts):
            if isinstance(part, ToolResult):
                result = await loaded.result(part) if not left_out else part
                room -= len(result.text)
                if left_out or room < 0:
                    left_out += 1
                    result = part.model_copy(update={"text": LEFT_OUT, "reference": None})
                parts.append(result)
            else:
                parts.append(part)
        found.append(message.model_copy(update={"parts": tuple(reversed(parts))}))
    return tuple(reversed(found)), left_out


def _own(message: Message) -> int:
    """Characters of a message beside its results."""
    return sum(len(part.text) for part in message.parts if isinstance(part, Text))


def _decoded(reference: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the artifact {reference!r} is no text: it cannot be told to a model") from error
