"""What is wrong with a plan: each one sentence that names the place, and what was probably meant."""

import difflib
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from hitl.hidden import visible

_LONGEST = 80


class Mistake(BaseModel):
    """One thing that is wrong.

    Attributes:
        at: JSON pointer into the plan, as in `/act/0/inputs/branch`; empty for the whole.
        says: One sentence, with the way out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: str
    says: str

    def line(self) -> str:
        """For people."""
        return f"{visible(self.at) or 'the plan'}: {self.says}"


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) of these parts."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def quoted(value: object) -> str:
    """Anybody's text inside a sentence: nothing in it hides, and it is not long."""
    text = visible(str(value))
    return f"'{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}'"


def meant(name: str, known: Iterable[str]) -> str:
    """The names that there are, the nearest first: for the end of a sentence."""
    names = list(known)
    close = difflib.get_close_matches(name[:_LONGEST], names, n=1)
    listed = ", ".join(sorted(names)) or "none"
    return f"did you mean {close[0]!r}? There are {listed}" if close else f"there are {listed}"


def in_order(found: Iterable[Mistake], places: Sequence[str]) -> tuple[Mistake, ...]:
    """Each once, in the order of the steps that they are in; what is about the whole comes first."""

    def place(one: Mistake) -> int:
        return next((number for number, at in enumerate(places, 1) if f"{one.at}/".startswith(f"{at}/")), 0)

    return tuple(sorted(dict.fromkeys(found), key=place))
