"""How a service shows that it is healthy: pages that answer, and numbers that stay within bounds for a time."""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from workflows.manifest.words import Duration, EnvironmentName, Form, Part, ServiceName

_MOST: Final = 50
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?"
_BASE: Final = rf"https?://{_HOST}(?::[1-9][0-9]{{0,4}})?"
_PATH: Final = r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*"
_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*")
_COMPARES: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_CLOSES: Final = {")": "(", "]": "[", "}": "{"}

Url = Annotated[
    str,
    Form(
        rf"{_BASE}(?:{_PATH})?",
        "an address that can be asked",
        "write http:// or https://, a host by its full name (no number, no user, no localhost) and a path, as in "
        "https://shop.example.com/healthz",
        2000,
    ),
]
Address = Annotated[
    str,
    Form(
        _BASE,
        "an address",
        "write http:// or https:// and a host by its full name (no number, no user, no localhost) and no path, as in "
        "https://shop.example.com",
    ),
]
UrlPath = Annotated[str, Form(_PATH, "a path of an address", "begin it with '/', as in /healthz", 2000)]
OutputName = Annotated[
    str,
    Form(
        r"[A-Za-z_][A-Za-z0-9_.-]{0,99}",
        "the name of an output",
        "write it as the Pulumi program exports it, as in url",
    ),
]
Holds = Annotated[
    str,
    Form(
        r"(?:<=?|>=?|==|!=) ?-?[0-9]{1,15}(?:\.[0-9]{1,9})?",
        "a comparison",
        "write one of < <= > >= == != and a number, in quotes, as in '< 0.01'",
        30,
    ),
]
Expression = Annotated[
    str, Form(r"\S[\s\S]*", "an expression of PromQL", "write it as in sum(rate(http_errors_total[5m]))", 2000)
]
Status = Annotated[int, Field(ge=100, le=599)]


class HttpProbe(Part):
    """A page that must answer."""

    url: Url | None = Field(
        default=None,
        description="The whole address; or else write `path`.",
        examples=["https://shop.example.com/healthz"],
    )
    path: UrlPath | None = Field(
        default=None, description="Below the address of the environment; or else write `url`.", examples=["/healthz"]
    )
    status: Annotated[tuple[Status, ...], Field(min_length=1, max_length=20)] = Field(
        default=(200,), description="The statuses that count as an answer.", examples=[[200, 204]]
    )
    contains: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="A text that must be in the body.", examples=["ok"]
    )
    every: Duration = Field(default="10s", description="The time between two tries.", examples=["5s"])
    lasts: Duration = Field(
        default="1m", alias="for", description="It must answer for so long, without a break.", examples=["2m"]
    )
    tolerate: int = Field(
        default=0, ge=0, le=1000, description="So many tries in that time may fail all the same.", examples=[1]
    )


class MetricCheck(Part):
    """A number that must stay within bounds."""

    name: ServiceName | None = Field(default=None, description="What people call it.", examples=["error-rate"])
    expression: Expression = Field(
        description="PromQL that gives one number.",
        examples=["sum(rate(http_errors_total[5m])) / sum(rate(http_requests_total[5m]))"],
    )
    holds: Holds = Field(description="What must hold of it. No number at all does not hold.", examples=["< 0.01"])
    every: Duration = Field(default="30s", description="The time between two looks.", examples=["15s"])
    lasts: Duration = Field(
        default="5m", alias="for", description="It must hold for so long, without a break.", examples=["10m"]
    )


class Verify(Part):
    """How a service shows that it is healthy."""

    within: Duration = Field(
        default="15m", description="All of it must be so within this time; else it is not healthy.", examples=["10m"]
    )
    addresses: Annotated[dict[EnvironmentName, Address], Field(max_length=_MOST)] = Field(
        default_factory=dict[str, str],
        description="Where the service is, by environment, for probes with a `path`.",
        examples=[{"production": "https://shop.example.com"}],
    )
    output: OutputName | None = Field(
        default=None,
        description="Or else the output of the Pulumi stack that says where it is.",
        examples=["url"],
    )
    http: Annotated[tuple[HttpProbe, ...], Field(max_length=_MOST)] = Field(
        default=(), description="Pages that must answer."
    )
    metrics: Annotated[tuple[MetricCheck, ...], Field(max_length=_MOST)] = Field(
        default=(), description="Numbers that must stay within bounds."
    )


def holds(comparison: str, value: float | None) -> bool:
    """Whether a comparison of the manifest, as in `< 0.01`, holds of a value; of a missing or infinite one, never."""
    if value is None or not math.isfinite(value):
        return False
    sign = comparison.rstrip("-0123456789. ")
    return _COMPARES[sign](value, float(comparison.removeprefix(sign)))


def unbalanced(expression: str) -> str | None:
    """The first bracket of an expression that has no other half, texts and comments left out; None where all have."""
    open_ones: list[str] = []
    for one in _brackets(expression):
        if one in _CLOSES:
            if not open_ones or open_ones.pop() != _CLOSES[one]:
                return one
        else:
            open_ones.append(one)
    return open_ones[-1] if open_ones else None


def _brackets(expression: str) -> Iterator[str]:
    return (one for one in _QUOTED.sub("", expression) if one in "()[]{}")
