"""Every bad day on every wire, as the tests beside this one hold it: the docs' table is made of their parameters."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from botocore.exceptions import ClientError

from tests.connectors.models.twin import test_faults as held
from tests.connectors.models.twin.callers import WIRES

PAGE: Final = Path(__file__).parents[4] / "docs" / "how-to" / "script-a-model.md"
_NAMES: Final = {
    "openai": "`openai`",
    "anthropic": "`anthropic`",
    "bedrock": "boto3",
    "ollama": "Ollama's own, httpx",
    "ollama-v1": "Ollama's `v1`, `openai`",
}


def _refusal(expected: Mapping[str, tuple[type[Exception], int, str | None]]) -> Callable[[str], str]:
    def cell(way: str) -> str:
        error, status, code = expected[way]
        # Of boto3 the code is what callers tell errors apart by; of httpx it is a sentence.
        name = code if error is ClientError else error.__name__
        return f"{status}, `{name}`"

    return cell


def _error(raised: Mapping[str, type[Exception]]) -> Callable[[str], str]:
    return lambda way: f"`{raised[way].__name__}`"


def _cut(way: str) -> str:
    whole, stream = held.CUT.get((way, False)), held.CUT[way, True]
    if whole is stream:
        return f"`{stream.__name__}`"
    # As `test_boto3_tells_an_answer_that_is_cut_as_one_without_output` holds it.
    first = f"`{whole.__name__}`" if whole else "no error, and no output"
    return f"{first}; in a stream `{stream.__name__}`"


def _broken(way: str) -> str:
    match way:
        case "openai":
            return "the call, with half of its JSON"
        case "anthropic":
            return "`max_tokens`, and a call without arguments; in a stream half of its JSON"
        case "bedrock":
            return "`malformed_tool_use`, and no call; in a stream half of its JSON"
        case _:
            return "no call, and its half as the text"


_ROWS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("429; `Retry-After` is told where there is one", _refusal(held.RATE)),
    ("overloaded: 529 or 503, with `Retry-After` or without", _refusal(held.OVERLOAD)),
    ("the context is too long", _refusal(held.TOO_LONG)),
    ("500", _refusal(held.FAILING)),
    ("a filter ends the answer: the reason told", lambda way: f"`{held.FILTERED.get(way, 'stop')}`"),
    ("the connection is cut; billed", _cut),
    ("an error in a stream that has begun; billed", _error(held.INTERRUPTED)),
    ("a tool's arguments are broken JSON", _broken),
    ("billed, and never answered", _error(held.TIMEOUTS)),
    (
        "wrong usage",
        lambda _: f"tells {held.WRONG[0]} and {held.WRONG[1]}; billed are {held.BILLED[0]} and {held.BILLED[1]}",
    ),
)


def table() -> str:
    """The lines of the page."""
    head = " | ".join(_NAMES[way] for way in WIRES)
    rows = (f"| {what} | " + " | ".join(cell(way) for way in WIRES) + " |" for what, cell in _ROWS)
    return "\n".join((f"| bad day | {head} |", f"|---|{'---|' * len(WIRES)}", *rows))


def test_the_page_tells_what_the_tests_hold() -> None:
    found = PAGE.read_text(encoding="utf-8")
    assert f"\n\n{table()}\n\n" in found, f"{PAGE.name} has another table; it is to be:\n{table()}"


def test_every_wire_has_every_bad_day() -> None:
    assert set(WIRES) == set(_NAMES)
    every = [held.RATE, held.OVERLOAD, held.TOO_LONG, held.FAILING, held.INTERRUPTED, held.TIMEOUTS]
    assert all(set(one) == set(WIRES) for one in every)
    assert {way for way, stream in held.CUT if stream} == set(WIRES)
