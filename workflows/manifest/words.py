"""The words that a manifest is written in: times, names, lines, paths, each with its form and what to write instead."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHOWN: Final = 60


class Part(BaseModel):
    """A part of a manifest. Unknown keys are refused, and so is a value of another kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Form:
    """The form of a text, in a validator, in the JSON Schema and in words.

    Attributes:
        pattern: What all of the text matches; in the syntax that Python and JavaScript have in common.
        kind: What it is, with its article.
        advice: What to write, with an example.
        most: Characters at most.
    """

    pattern: str
    kind: str
    advice: str
    most: int = 200

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A text, checked."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The same for editors."""
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.most}

    def fits(self, value: str) -> bool:
        """Whether a text is of this form."""
        return len(value) <= self.most and re.fullmatch(self.pattern, value) is not None

    def _checked(self, value: str) -> str:
        if len(value) > self.most:
            raise _wrong(value, f"too long for {self.kind}", f"write {self.most} characters at most")
        if not re.fullmatch(self.pattern, value):
            raise _wrong(value, f"not {self.kind}", self.advice)
        return value


def _wrong(value: str, what: str, advice: str) -> PydanticCustomError:
    return PydanticCustomError("form", "is {what}; {advice}", {"what": what, "advice": advice, "value": value[:_SHOWN]})


_DIRECTORY: Final = r"(?!.*(?:^|/)\.{0,2}(?:/|$))[^\\\u0000]+"

Duration = Annotated[
    str, Form(r"[1-9][0-9]{0,4}[smhd]", "a time", "write seconds, minutes, hours or days as in 30s, 5m, 2h or 1d")
]
ServiceName = Annotated[
    str, Form(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", "a name", "use lower-case letters, digits and '-', as in shop-web", 63)
]
EnvironmentName = Annotated[
    str,
    Form(r"[a-z0-9][a-z0-9_-]{0,62}", "an environment's name", "use lower-case letters, digits, '-' and '_'", 63),
]
Purpose = Annotated[
    str,
    Form(r"[a-z][a-z0-9-]{0,40}", "a purpose", "write the deployment's name for it, as in package-registries", 41),
]
Path = Annotated[
    str,
    Form(
        _DIRECTORY,
        "a path inside the repository",
        "write it from its root, without a leading '/' and without '.' or '..', as in services/web",
        500,
    ),
]
Line = Annotated[str, Form(r"\S(?:[^\r\n]*\S)?", "one line of text", "write one line, without spaces around it")]
Prose = Annotated[str, Form(r"\S(?:[\s\S]*\S)?\s?", "a text", "write some words", 1000)]
Argument = Annotated[str, Form(r"[^\u0000]*", "an argument", "leave out the zero byte", 64 * 1024)]
Identity = Annotated[
    str,
    Form(
        r"slack:[UW][A-Z0-9]{2,30}|(?:github|console|temporal):\S{1,200}",
        "an identity",
        "write slack:U0ALICE (the member id), github:LOGIN, console:NAME or temporal:PRINCIPAL",
    ),
]


def seconds(duration: str) -> int:
    """How long a valid `30s`, `5m`, `2h` or `1d` is."""
    return int(duration[:-1]) * _UNITS[duration[-1]]
