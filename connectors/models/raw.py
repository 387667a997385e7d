"""What somebody may write in the file of language models: the form of each value, and nothing more.

backends:
  bedrock: {kind: bedrock, region: eu-central-1}
  local: {kind: ollama, url: "http://127.0.0.1:11434"}
models:
  local/qwen3:4b: {context: 32768, price: {input: 0, output: 0}}
tiers:
  small: [local/qwen3:4b, bedrock/anthropic.claude-haiku-4-5-20251001-v1:0]
  large: [bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0]
routes: {plan: large, read: small, code: large, review: large}
data: {local: [public, repository, log], bedrock: [public, repository]}
limits:
  goal: {usd: 2, requests: 60, minutes: 30}
  day: {usd: 100, decisions: 20, per: requester, usd_per_installation: 20}
"""

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from connectors.served.boot import PEM_PATTERN, RELAY_PATTERN, WORD_PATTERN

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,40}")
MODEL: Final = re.compile(r"[a-z][a-z0-9-]{0,40}/[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,253}(?:/[A-Za-z0-9._~/-]*)?")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2}")


class Kind(StrEnum):
    """Whose way of speaking a backend has."""

    OPENAI = "openai"
    """OpenAI's, and every server that is compatible with it."""
    OLLAMA = "ollama"
    ANTHROPIC = "anthropic"
    BEDROCK = "bedrock"
    GOOGLE = "google"


class Use(StrEnum):
    """What a model is asked for."""

    PLAN = "plan"
    """To make a plan of what a person wrote: trusted text only."""
    READ = "read"
    """To read text that nobody trusts, and to answer in a schema."""
    CODE = "code"
    REVIEW = "review"


class Key(StrEnum):
    """Where a backend's key is."""

    VAULT = "vault"
    """At `banksman/models/<backend>`."""
    NONE = "none"
    """It wants none."""


class Per(StrEnum):
    """Whose a day's limit is."""

    ALL = "all"
    REQUESTER = "requester"


def _wrong(kind: str, value: str, advice: str) -> PydanticCustomError:
    said = {"value": repr(value[:60]), "kind": kind, "advice": advice}
    return PydanticCustomError("form", "{value} is not {kind}; {advice}", said)


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise _wrong("a name", value, "use lower-case letters, digits and '-', a letter first")
    return value


def _model(value: str) -> str:
    if not MODEL.fullmatch(value):
        raise _wrong("a model", value, "write BACKEND/MODEL, as in local/qwen3:4b")
    return value


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise _wrong(
            "an address", value, "write http:// or https://, a host and a path, as in https://models.example/v1"
        )
    return value.rstrip("/")


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise _wrong("a region of AWS", value, "write it as in eu-central-1")
    return value


def _relay(value: str) -> str:
    if not re.fullmatch(RELAY_PATTERN, value):
        raise _wrong("a host and a port", value, "write them as in relay.example:8443")
    return value


def _word(value: str) -> str:
    if not re.fullmatch(WORD_PATTERN, value):
        raise _wrong("a word of a command", value, "write 1 to 400 printable ASCII characters")
    return value


def _pem(value: str) -> str:
    if not re.fullmatch(PEM_PATTERN, value):
        raise _wrong("a certificate", value, "write it whole as PEM, in a block after `|`, or leave it out")
    return value


Name = Annotated[str, AfterValidator(_name)]
Model = Annotated[str, AfterValidator(_model)]
_Url = Annotated[str, AfterValidator(_url)]
_Dollars = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]


class Raw(BaseModel):
    """Unknown keys are refused, and nothing is converted in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RawBackend(Raw):
    """One backend: who is asked, and how long is waited for it."""

    kind: Annotated[Kind, Field(strict=False)]
    url: _Url | None = None
    region: Annotated[str, AfterValidator(_region)] | None = None
    key: Annotated[Key | None, Field(strict=False)] = None
    seconds: Annotated[int, Field(ge=5, le=540)] = 120
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    stream: bool = False


class RawPrice(Raw):
    """US dollars for a million tokens."""

    input: _Dollars
    output: _Dollars
    cached_input: _Dollars | None = None
    cache_written: _Dollars | None = None


class RawModel(Raw):
    """What is known of one model better than by the libraries."""

    context: Annotated[int, Field(ge=256, le=100_000_000)] | None = None
    tools: bool | None = None
    enforced_schema: bool | None = None
    price: RawPrice | None = None


class RawServed(Raw):
    """Machines that goals may have to serve a backend: what they run, and where they dial in."""

    relay: Annotated[str, AfterValidator(_relay)]
    run: Annotated[list[Annotated[str, AfterValidator(_word)]], Field(min_length=1, max_length=60)]
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    authority: Annotated[str, AfterValidator(_pem)] | None = None


class RawGoalLimit(Raw):
    """For one run of a goal."""

    usd: _Dollars | None = None
    requests: Annotated[int, Field(ge=1, le=100_000)] | None = None
    minutes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    decisions: Annotated[int, Field(ge=1, le=1000)] | None = None


class RawDayLimit(Raw):
    """For one day of UTC's."""

    usd: _Dollars | None = None
    decisions: Annotated[int, Field(ge=1, le=100_000)] | None = None
    per: Annotated[Per, Field(strict=False)] = Per.ALL
    usd_per_installation: _Dollars | None = None


class RawLimits(Raw):
    """What may be used."""

    goal: RawGoalLimit = RawGoalLimit()
    day: RawDayLimit = RawDayLimit()


class RawModels(Raw):
    """The whole file."""

    backends: dict[Name, RawBackend] = Field(min_length=1)
    models: dict[Model, RawModel] = {}
    tiers: dict[Name, Annotated[list[Model], Field(min_length=1)]] = Field(min_length=1)
    routes: dict[Annotated[Use, Field(strict=False)], Name] = Field(min_length=1)
    data: dict[Name, Annotated[list[Name], Field(min_length=1)]] = Field(min_length=1)
    served: dict[Name, RawServed] = {}
    limits: RawLimits = RawLimits()
