"""Every bad day on every wire, as its SDK tells it; and what of it was billed."""

from typing import Any, Final

import anthropic
import httpx
import httpx2
import openai
import pytest
from botocore.exceptions import ClientError, EventStreamError, ReadTimeoutError
from urllib3.exceptions import ProtocolError

from tests.connectors.models.twin.callers import BedrockCaller, Caller, Message, OllamaError, Question, Tool
from tests.connectors.models.twin.conftest import Asking, bills, plant
from tests.connectors.serving import ServedTwin

GREET: Final = Question(messages=(Message(role="user", text="greet me"),))
SAID: Final = "Good morning, and welcome."
_STREAMS: Final = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def refused(ask: Caller, *, stream: bool = False, question: Question = GREET) -> Exception:
    """What the SDK raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
        ask.ask(question, stream=stream)
    return caught.value


def status(error: Exception) -> int:
    """As the SDK's own error has it."""
    match error:
        case openai.APIStatusError() | anthropic.APIStatusError():
            return error.status_code
        case ClientError():
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        case httpx.HTTPStatusError():
            return error.response.status_code
        case _:
            raise error


def headers(error: Exception) -> dict[str, str]:
    match error:
        case openai.APIStatusError() | anthropic.APIStatusError():
            return {name.lower(): value for name, value in error.response.headers.items()}
        case ClientError():
            return dict(error.response["ResponseMetadata"]["HTTPHeaders"])
        case httpx.HTTPStatusError():
            return dict(error.response.headers)
        case _:
            raise error


def code(error: Exception) -> str | None:
    """The provider's short word for it."""
    match error:
        case openai.APIStatusError():
            return error.code or error.type
        case anthropic.APIStatusError():
            body: Any = error.body
            return str(body["error"]["type"])
        case ClientError():
            return error.response["Error"]["Code"]
        case httpx.HTTPStatusError():
            return str(error.response.json()["error"])
        case _:
            raise error


_Expected = dict[str, tuple[type[Exception], int, str | None]]
RATE: Final[_Expected] = {
    "openai": (openai.RateLimitError, 429, "rate_limit_exceeded"),
    "anthropic": (anthropic.RateLimitError, 429, "rate_limit_error"),
    "bedrock": (ClientError, 429, "ThrottlingException"),
    "ollama": (httpx.HTTPStatusError, 429, "too many requests"),
    "ollama-v1": (openai.RateLimitError, 429, "api_error"),
}
OVERLOAD: Final[_Expected] = {
    "openai": (openai.InternalServerError, 503, "server_error"),
    "anthropic": (anthropic.OverloadedError, 529, "overloaded_error"),
    "bedrock": (ClientError, 503, "ServiceUnavailableException"),
    "ollama": (httpx.HTTPStatusError, 503, "server busy, please try again.  maximum pending requests exceeded"),
    "ollama-v1": (openai.InternalServerError, 503, "api_error"),
}
TOO_LONG: Final[_Expected] = {
    "openai": (openai.BadRequestError, 400, "context_length_exceeded"),
    "anthropic": (anthropic.BadRequestError, 400, "invalid_request_error"),
    "bedrock": (ClientError, 400, "ValidationException"),
    "ollama": (httpx.HTTPStatusError, 400, "the input length exceeds the context length"),
    "ollama-v1": (openai.BadRequestError, 400, "invalid_request_error"),
}
FAILING: Final[_Expected] = {
    "openai": (openai.InternalServerError, 500, "server_error"),
    "anthropic": (anthropic.InternalServerError, 500, "api_error"),
    "bedrock": (ClientError, 500, "InternalServerException"),
    "ollama": (httpx.HTTPStatusError, 500, "llama runner process has terminated: exit status 2"),
    "ollama-v1": (openai.InternalServerError, 500, "api_error"),
}


@_STREAMS
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("rate_limited", RATE), ("overloaded", OVERLOAD), ("context_too_long", TOO_LONG), ("failing", FAILING)],
)
def test_a_refusal_is_the_sdks_own_error_and_costs_nothing(
    ask: Caller, way: str, twin: ServedTwin, kind: str, expected: _Expected, stream: bool
) -> None:
    plant(twin, {"say": "", "fault": {"kind": kind}})
    error = refused(ask, stream=stream)
    assert (type(error) if way != "bedrock" else ClientError, status(error), code(error)) == expected[way]
    assert isinstance(error, expected[way][0])
    assert "retry-after" not in headers(error)
    assert bills(twin)["requests"] == 0
    assert ask.ask(GREET, stream=stream).text == SAID  # once, and no more


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
def test_it_says_when_to_come_back(ask: Caller, twin: ServedTwin, kind: str) -> None:
    plant(twin, {"fault": {"kind": kind, "retry_after": 7}})
    assert headers(refused(ask))["retry-after"] == "7"


def test_a_limit_that_is_planted_as_on_every_twin_speaks_the_words_of_the_wire(
    ask: Caller, way: str, twin: ServedTwin
) -> None:
    twin.plant(kind="rate_limit", seconds=3)
    error = refused(ask)
    assert (status(error), code(error), headers(error)["retry-after"]) == (429, RATE[way][2], "3")


CUT: Final[dict[tuple[str, bool], type[Exception]]] = {
    ("openai", False): openai.APIConnectionError,
    ("openai", True): openai.APIConnectionError,
    ("ollama-v1", False): openai.APIConnectionError,
    ("ollama-v1", True): openai.APIConnectionError,
    ("anthropic", False): anthropic.APIConnectionError,
    # Not errors of the SDKs' own, but of the HTTP libraries below them.
    ("anthropic", True): httpx2.RemoteProtocolError,
    ("bedrock", True): ProtocolError,
    ("ollama", False): httpx.RemoteProtocolError,
    ("ollama", True): httpx.RemoteProtocolError,
}


@pytest.mark.parametrize(("way", "stream"), CUT)
def test_an_answer_that_is_cut_is_an_error_and_billed(asking: Asking, way: str, twin: ServedTwin, stream: bool) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "cut"}})
    assert isinstance(refused(asking(way), stream=stream), CUT[way, stream])
    assert [(one["fault"], one["output"]) for one in bills(twin)["bills"]] == [("cut", 7)]


def test_boto3_tells_an_answer_that_is_cut_as_one_without_output(asking: Asking, twin: ServedTwin) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "cut"}})
    bedrock = asking("bedrock")
    assert isinstance(bedrock, BedrockCaller)
    message = {"role": "user", "content": [{"text": "greet me"}]}
    answered = bedrock.client.converse(modelId=GREET.model, messages=[message])
    assert answered["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "output" not in answered
    assert bills(twin)["requests"] == 1


def test_a_stream_that_ends_politely_too_early_says_no_reason(ask: Caller, twin: ServedTwin) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "cut", "politely": True, "after": 3}})
    answer = ask.ask(GREET, stream=True)
    assert answer.stop == ""
    assert SAID.startswith(answer.text)
    assert answer.text != SAID


INTERRUPTED: Final[dict[str, type[Exception]]] = {
    "openai": openai.APIError,
    "anthropic": anthropic.APIStatusError,
    "bedrock": EventStreamError,
    "ollama": OllamaError,
    "ollama-v1": openai.APIError,
}


def test_an_error_in_a_stream_that_has_begun_is_billed(ask: Caller, way: str, twin: ServedTwin) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "interrupted"}})
    error = refused(ask, stream=True)
    assert isinstance(error, INTERRUPTED[way])
    if isinstance(error, anthropic.APIStatusError):
        assert (error.status_code, code(error)) == (200, "overloaded_error")
    assert [one["fault"] for one in bills(twin)["bills"]] == ["interrupted"]


def test_an_answer_in_one_piece_is_refused_where_a_stream_would_be_interrupted(
    ask: Caller, way: str, twin: ServedTwin
) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "interrupted"}})
    assert status(refused(ask)) == OVERLOAD[way][1]
    assert bills(twin)["requests"] == 0


HALF: Final = '{"path":"R'
TOOL: Final = Tool(name="read_file", schema={"type": "object", "properties": {"path": {"type": "string"}}})


@_STREAMS
def test_arguments_that_break(ask: Caller, way: str, twin: ServedTwin, stream: bool) -> None:
    cue = {"call": [{"tool": "read_file", "arguments": {"path": "README.md"}}], "fault": {"kind": "broken_arguments"}}
    plant(twin, cue)
    answer = ask.ask(Question(messages=GREET.messages, tools=(TOOL,)), stream=stream)
    told = [(one.name, one.arguments) for one in answer.calls]
    match way, stream:
        case ("openai", _) | (_, True) if not way.startswith("ollama"):
            assert (told, answer.text) == ([("read_file", HALF)], "")
        case ("anthropic", False):
            assert (told, answer.stop) == ([("read_file", {})], "max_tokens")
        case ("bedrock", False):
            assert (told, answer.stop) == ([], "malformed_tool_use")
        case _:
            assert (told, answer.text) == ([], '{"name": "read_file", "arguments": ' + HALF)


FILTERED: Final = {"openai": "content_filter", "anthropic": "refusal", "bedrock": "content_filtered"}
"""Why an answer ended; Ollama has no filter, and says `stop`."""


@_STREAMS
def test_a_filter_ends_an_answer(ask: Caller, way: str, twin: ServedTwin, stream: bool) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "filtered"}})
    answer = ask.ask(GREET, stream=stream)
    assert (answer.text, answer.stop) == ("Good", FILTERED.get(way, "stop"))


@_STREAMS
def test_a_model_declines(ask: Caller, way: str, twin: ServedTwin, stream: bool) -> None:
    plant(twin, {"say": "I cannot do that.", "fault": {"kind": "refused"}})
    answer = ask.ask(GREET, stream=stream)
    stops = {"anthropic": "refusal", "bedrock": "content_filtered"}
    assert (answer.text, answer.stop) == ("I cannot do that.", stops.get(way, "stop"))


WRONG: Final = (0, 9999)
BILLED: Final = (2, 7)


@_STREAMS
def test_usage_that_is_wrong_is_told_and_the_right_one_billed(ask: Caller, twin: ServedTwin, stream: bool) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "wrong_usage", "input": WRONG[0], "output": WRONG[1]}})
    answer = ask.ask(GREET, stream=stream)
    assert (answer.input, answer.output) == WRONG
    (billed,) = bills(twin)["bills"]
    assert (billed["input"], billed["output"]) == BILLED


TIMEOUTS: Final[dict[str, type[Exception]]] = {
    "openai": openai.APITimeoutError,
    "anthropic": anthropic.APITimeoutError,
    "bedrock": ReadTimeoutError,
    "ollama": httpx.ReadTimeout,
    "ollama-v1": openai.APITimeoutError,
}


@_STREAMS
def test_what_is_never_answered_is_billed(asking: Asking, way: str, twin: ServedTwin, stream: bool) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "silent"}})
    error = refused(asking(way, timeout=0.3), stream=stream)
    assert isinstance(error, TIMEOUTS[way])
    (billed,) = bills(twin)["bills"]
    assert (billed["answered"], billed["fault"], billed["output"]) == (False, "silent", 7)


def test_who_hangs_up_before_the_first_byte_is_not_billed(asking: Asking, way: str, twin: ServedTwin) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "slow", "seconds": 600}})
    assert isinstance(refused(asking(way, timeout=0.3)), TIMEOUTS[way])
    assert bills(twin)["requests"] == 0


@_STREAMS
def test_a_slow_first_byte_is_waited_for(ask: Caller, twin: ServedTwin, stream: bool) -> None:
    plant(twin, {"say": SAID, "fault": {"kind": "slow", "seconds": 0.2}})
    assert ask.ask(GREET, stream=stream).text == SAID
    assert [one["fault"] for one in bills(twin)["bills"]] == ["slow"]


UNKNOWN: Final[_Expected] = {
    "openai": (openai.NotFoundError, 404, "model_not_found"),
    "anthropic": (anthropic.NotFoundError, 404, "not_found_error"),
    "bedrock": (ClientError, 400, "ValidationException"),
    "ollama": (httpx.HTTPStatusError, 404, "model 'gone:1' not found"),
    "ollama-v1": (openai.NotFoundError, 404, "not_found_error"),
}
CLOSED: Final[_Expected] = {
    "openai": (openai.PermissionDeniedError, 403, "model_not_found"),
    "anthropic": (anthropic.PermissionDeniedError, 403, "permission_error"),
    "bedrock": (ClientError, 403, "AccessDeniedException"),
    "ollama": (httpx.HTTPStatusError, 403, "this model requires a subscription: closed:1"),
    "ollama-v1": (openai.PermissionDeniedError, 403, "api_error"),
}


@pytest.mark.parametrize(("model", "expected"), [("gone:1", UNKNOWN), ("closed:1", CLOSED)])
def test_a_model_that_is_none_or_not_for_this_key(
    ask: Caller, way: str, twin: ServedTwin, model: str, expected: _Expected
) -> None:
    error = refused(ask, question=Question(messages=GREET.messages, model=model))
    assert isinstance(error, expected[way][0])
    assert (status(error), code(error)) == expected[way][1:]
    assert bills(twin)["requests"] == 0


def test_a_request_without_a_cue_is_refused_by_name(ask: Caller) -> None:
    error = refused(ask, question=Question(messages=(Message(role="user", text="sing"),)))
    assert status(error) == 501


def test_a_conversation_that_does_not_fit_is_refused_or_at_ollama_forgotten(
    ask: Caller, way: str, twin: ServedTwin
) -> None:
    model = "arn:aws:bedrock:eu-central-1::inference-profile/scripted"
    long = Question(messages=(Message(role="user", text="greet " * 60),), model=model)
    if way.startswith("ollama"):
        assert (ask.ask(long, stream=False).text, bills(twin)["bills"][0]["input"]) == (SAID, 40)
    else:
        error = refused(ask, question=long)
        assert (status(error), code(error)) == TOO_LONG[way][1:]
    assert ask.ask(Question(messages=GREET.messages, model=model), stream=False).text == SAID
