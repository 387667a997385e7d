"""Where the score is played: finds the cue of a request, plays it, and writes the bill."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.models.twin.bills import Bill, Ledger
from connectors.models.twin.conversation import Asked, Ending, Played, Stop, ToolCall, Usage, canonical, tokens, within
from connectors.models.twin.faults import (
    BrokenArguments,
    Cut,
    Fault,
    Filtered,
    Interrupted,
    Refused,
    Refusing,
    Silent,
    WrongUsage,
    refusal,
)
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.score import Cue, Score, filled
from connectors.twins.clock import TwinClock


class Model(BaseModel):
    """A model that is offered, under the same id on every wire.

    Attributes:
        id: Its own.
        context: Tokens that a conversation may have.
        output: Tokens that an answer may have.
        cache_from: Tokens that a beginning must have to be cached.
        forbidden: Whether the key may not use it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    context: int = 200_000
    output: int = 8_192
    cache_from: int = 1_024
    forbidden: bool = False


@dataclass(frozen=True)
class Found:
    """A cue that fits, and what its expression found."""

    cue: Cue
    groups: dict[str, str]


class Stage:
    """One score, its models and the bills of all wires.

    Args:
        models: What is offered.
        score: What is said.
        clock: By which the cache forgets.
    """

    def __init__(self, models: Sequence[Model], score: Score, clock: TwinClock) -> None:
        self.models = {one.id: one for one in models}
        self.ledger = Ledger()
        self._clock = clock
        self._planted: list[tuple[Cue, int]] = []
        self._used: list[int] = []
        self.score = score
        self.rewrite(score)

    def rewrite(self, score: Score) -> None:
        """Play another score, from its beginning."""
        self.score, self._used = score, [0] * len(score.cues)

    def plant(self, cues: Iterable[Cue]) -> None:
        """Play these before the score: each once, unless it says how many times."""
        self._planted += [(one, one.times or 1) for one in cues]

    def unplant(self) -> None:
        """Forget what of that is left."""
        self._planted.clear()

    @property
    def planted(self) -> list[Cue]:
        """What of that is left."""
        return [one.model_copy(update={"times": left}) for one, left in self._planted]

    def now(self) -> int:
        """Seconds since the epoch."""
        return int(self._clock())

    def cue(self, asked: Asked, *, truncates: bool = False) -> Found:
        """What is to be played, which is used up by that.

        Args:
            asked: The request.
            truncates: Whether this provider forgets what does not fit, in silence.

        Raises:
            Refusal: The model is none, the conversation does not fit, the cue says so, or there is no cue.
        """
        model = self.model(asked.model)
        if asked.tokens > model.context and not truncates:
            raise Refusal(Kind.TOO_LONG, f"{asked.tokens} > {model.context}")
        if (found := self._found(asked)) is None:
            raise Refusal(Kind.UNKNOWN, f"the score has no cue for answer {asked.turn}, after {asked.last[:80]!r}")
        if isinstance(found.cue.fault, Refusing):
            raise refusal(found.cue.fault)
        return found

    def model(self, name: str) -> Model:
        """One that the key may use.

        Raises:
            Refusal: It is none of them.
        """
        if (model := self.models.get(name)) is None:
            raise Refusal(Kind.NO_MODEL, name)
        if model.forbidden:
            raise Refusal(Kind.FORBIDDEN, name)
        return model

    def play(self, asked: Asked, found: Found) -> Played:
        """The answer, and its bill.

        Raises:
            Refusal: The cue answers for a schema, and none is asked.
        """
        fault, model = found.cue.fault, self.models[asked.model]
        said, called = _lines(asked, found)
        number = self.ledger.number()
        text, calls, stop = _within(said, _calls(called, number), min(asked.limit or model.output, model.output))
        text, calls, stop = _spoilt(fault, text, calls, stop)
        usage = self._usage(asked, model, text, calls)
        self.ledger.bill(
            Bill(
                number=number,
                wire=asked.wire,
                model=asked.model,
                input=usage.input,
                output=usage.output,
                cache_read=usage.cache_read,
                cache_write=usage.cache_write,
                fault=fault.kind if fault else "",
                answered=not isinstance(fault, Silent),
            )
        )
        told = Usage(input=fault.input, output=fault.output) if isinstance(fault, WrongUsage) else usage
        return Played(number=number, text=text, calls=calls, stop=stop, usage=told, ending=_ending(fault))

    def _found(self, asked: Asked) -> Found | None:
        for index, (cue, left) in enumerate(self._planted):
            if (groups := cue.when.fits(asked)) is not None:
                self._planted[index : index + 1] = [(cue, left - 1)] if left > 1 else []
                return Found(cue, groups)
        for index, cue in enumerate(self.score.cues):
            groups = cue.when.fits(asked) if cue.times is None or self._used[index] < cue.times else None
            if groups is not None:
                self._used[index] += 1
                return Found(cue, groups)
        return None

    def _usage(self, asked: Asked, model: Model, text: str, calls: Iterable[ToolCall]) -> Usage:
        output = tokens(text) + sum(tokens(one.name + one.arguments) for one in calls)
        every, marked = min(asked.tokens, model.context), tokens(asked.marked)
        if not asked.marked or marked < model.cache_from:
            return Usage(input=every, output=output)
        read = tokens(self.ledger.cached(model.id, asked.marked, self._clock()))
        return Usage(input=max(every - marked, 0), output=output, cache_read=read, cache_write=marked - read)


def _lines(asked: Asked, found: Found) -> tuple[str, list[tuple[str, JsonValue]]]:
    """Words and calls."""
    cue, groups = found.cue, found.groups
    if cue.answer is None:
        return str(filled(cue.say, groups)), [(one.tool, filled(one.arguments, groups)) for one in cue.call]
    answer = filled(cue.answer, groups)
    if asked.schema is not None:
        return canonical(answer), []
    tool = asked.forced or cue.through
    if tool not in {one.name for one in asked.tools} or not isinstance(answer, dict):
        raise Refusal(
            Kind.UNKNOWN,
            f"the cue answers with JSON, and the request asks for no schema and offers no tool {tool!r} that takes it",
        )
    return "", [(tool, answer)]


def _calls(called: Sequence[tuple[str, JsonValue]], number: int) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(id=f"{number:06d}{index:02d}", name=name, arguments=canonical(arguments))
        for index, (name, arguments) in enumerate(called)
    )


def _within(text: str, calls: tuple[ToolCall, ...], limit: int) -> tuple[str, tuple[ToolCall, ...], Stop]:
    """What the limit lets through: of calls that it cuts the last one breaks."""
    if tokens(text) + sum(tokens(one.name + one.arguments) for one in calls) <= limit:
        return text, calls, Stop.CALLS if calls else Stop.END
    if calls:
        return within(text, limit), (*calls[:-1], _broken(calls[-1])), Stop.LIMIT
    return within(text, limit), (), Stop.LIMIT


def _spoilt(
    fault: Fault | None, text: str, calls: tuple[ToolCall, ...], stop: Stop
) -> tuple[str, tuple[ToolCall, ...], Stop]:
    match fault:
        case BrokenArguments():
            return text, (*calls[:-1], _broken(calls[-1])), stop
        case Filtered():
            first = re.match(r"\s*\S+", text)
            return first[0] if first else "", (), Stop.FILTERED
        case Refused():
            return text, (), Stop.REFUSED
        case _:
            return text, calls, stop


def _broken(call: ToolCall) -> ToolCall:
    return ToolCall(id=call.id, name=call.name, arguments=call.arguments[: len(call.arguments) // 2], broken=True)


def _ending(fault: Fault | None) -> Ending | None:
    match fault:
        case Cut():
            return Ending(after=fault.after, politely=fault.politely)
        case Interrupted():
            return Ending(after=fault.after, politely=True, told=True)
        case _:
            return None
