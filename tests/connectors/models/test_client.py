"""One request to a server that speaks as OpenAI's: what it is told, what is read of its answer, and how it fails."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.responses import PlainTextResponse, Response

from connectors.errors import (
    AuthDenied,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.messages import (
    Ended,
    Message,
    OutputSchema,
    Prompt,
    Text,
    Tokens,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.connectors.models.compatible import USAGE, Compatible, breaks_off, refuses, says
from tests.connectors.models.deployed import FILE, LAMP, asks, deployed

KEY = {"key": SecretStr("sk-canary-of-the-lab-4711")}
SCHEMA = OutputSchema(
    name="lamp",
    description="Whether it is lit.",
    json_schema={"type": "object", "properties": {"lit": {"type": "boolean"}}, "required": ["lit"]},
)
LOOK = Tool(
    name="look",
    description="Looks at a lamp.",
    parameters={"type": "object", "properties": {"lamp": {"type": "string"}}, "required": ["lamp"]},
)


async def test_a_question_is_asked_once_with_the_key_and_answered(server: Compatible, client: ModelClient) -> None:
    server.answers.append(says("It is lit."))
    prompt = asks().model_copy(update={"instructions": Text(text="Be short."), "max_tokens": 77})
    found = await client.ask(LAMP, prompt, KEY)
    assert found.parts == (Text(text="It is lit."),)
    assert (found.ended, found.answered_by) == (Ended.STOP, "lamp-1-2026")
    assert found.tokens == Tokens(input=120, output=8)
    [asked] = server.asked
    assert asked["model"] == "lamp-1"
    assert [one["content"] for one in asked["messages"]] == ["Be short.", "Is the lamp lit?"]
    assert asked["temperature"] == 0
    assert 77 in {asked.get("max_tokens"), asked.get("max_completion_tokens")}
    assert not asked.get("stream")
    assert server.keys == ["Bearer sk-canary-of-the-lab-4711"]


async def test_a_conversation_with_tools_keeps_its_order(server: Compatible, client: ModelClient) -> None:
    server.answers.append(says(None, calls=[("look", '{"lamp": "cellar"}')], ended="tool_calls"))
    prompt = Prompt(
        messages=(
            Message(role="user", parts=(Text(text="Look at both."),)),
            Message(role="assistant", parts=(ToolCall(id="a", tool="look", arguments='{"lamp":"porch"}'),)),
            Message(role="user", parts=(ToolResult(id="a", tool="look", text="lit"),)),
        ),
        tools=(LOOK,),
    )
    found = await client.ask(LAMP, prompt, KEY)
    assert found.ended is Ended.TOOL_CALL
    assert found.parts == (ToolCall(id="call-0", tool="look", arguments='{"lamp": "cellar"}'),)
    [asked] = server.asked
    assert [one["role"] for one in asked["messages"]] == ["user", "assistant", "tool"]
    assert asked["messages"][1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"lamp":"porch"}'}
    assert asked["messages"][2]["tool_call_id"] == "a"
    assert [one["function"]["name"] for one in asked["tools"]] == ["look"]


@pytest.mark.parametrize("arguments", ['{"lamp": ', "[1]", "rm -rf /", "9" * 5000, "[" * 100_000])
async def test_arguments_that_are_no_json_are_handed_on_as_text_and_said_to_be_none(
    server: Compatible, client: ModelClient, arguments: str
) -> None:
    server.answers.append(says(None, calls=[("look", arguments)], ended="tool_calls"))
    found = await client.ask(LAMP, asks().model_copy(update={"tools": (LOOK,)}), KEY)
    assert found.parts == (ToolCall(id="call-0", tool="look", arguments=arguments, well_formed=False),)


async def test_an_enforced_schema_goes_to_the_backend_and_its_answer_is_not_read(
    server: Compatible, client: ModelClient
) -> None:
    server.answers.append(says('{"lit": "perhaps"'))
    found = await client.ask(LAMP, asks().model_copy(update={"output": SCHEMA}), KEY)
    assert found.output == Text(text='{"lit": "perhaps"')
    assert (found.parts, found.ended) == ((), Ended.STOP)
    assert server.asked[0]["response_format"]["json_schema"]["name"] == "lamp"


async def test_a_schema_that_nobody_enforces_is_asked_for_as_a_tool(
    server: Compatible, url: str, tmp_path: Path
) -> None:
    text = FILE.replace("{{context: 8192,", "{{context: 8192, enforced_schema: false,")
    client = ModelClient(deployed(tmp_path, url, text))
    server.answers.append(says(None, calls=[("lamp", '{"lit": true}')], ended="tool_calls"))
    found = await client.ask(LAMP, asks().model_copy(update={"output": SCHEMA}), KEY)
    assert found.output == Text(text='{"lit": true}')
    assert (found.parts, found.ended) == ((), Ended.STOP)
    assert "response_format" not in server.asked[0]
    assert server.asked[0]["tools"][0]["function"]["name"] == "lamp"


@pytest.mark.parametrize(("said", "ended"), [("length", Ended.LENGTH), ("content_filter", Ended.CONTENT_FILTER)])
async def test_why_it_said_no_more_is_told(server: Compatible, client: ModelClient, said: str, ended: Ended) -> None:
    server.answers.append(says("It is", ended=said))
    assert (await client.ask(LAMP, asks(), KEY)).ended is ended


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": -5, "completion_tokens": 3, "total_tokens": -2},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    ],
)
async def test_a_count_that_cannot_be_is_none(
    server: Compatible, client: ModelClient, usage: dict[str, int] | None
) -> None:
    server.answers.append(says(usage=usage))
    assert (await client.ask(LAMP, asks(), KEY)).tokens is None


SECRET_WORDS = "the prompt was: launch codes"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda: refuses(401, message=SECRET_WORDS), AuthDenied),
        (lambda: refuses(403, message=SECRET_WORDS), Forbidden),
        (lambda: refuses(404, code="model_not_found", message=SECRET_WORDS), NotFound),
        (lambda: refuses(400, message=SECRET_WORDS), InvalidRequest),
        (lambda: refuses(429, code="insufficient_quota", message=SECRET_WORDS), QuotaExhausted),
        (lambda: refuses(429, message=SECRET_WORDS), RateLimited),
        (lambda: refuses(500, message=SECRET_WORDS), Unavailable),
        (lambda: refuses(503, message=SECRET_WORDS), Unavailable),
        (lambda: refuses(529, message=SECRET_WORDS), Unavailable),
        (lambda: refuses(504, message=SECRET_WORDS), OutcomeUnknown),
        (lambda: PlainTextResponse(SECRET_WORDS), OutcomeUnknown),
        (breaks_off, OutcomeUnknown),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_each_way_to_fail_is_one_of_the_tree_and_quotes_nobody(
    server: Compatible, client: ModelClient, answer: Callable[[], Response], kind: type[ConnectorError]
) -> None:
    server.answers.append(answer())
    with pytest.raises(ConnectorError) as caught:
        await client.ask(LAMP, asks(), KEY)
    assert type(caught.value) is kind
    assert "lab/lamp-1" in str(caught.value)
    assert SECRET_WORDS not in str(caught.value)
    assert "canary" not in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_how_long_it_wants_us_to_wait_is_kept(server: Compatible, client: ModelClient, status: int) -> None:
    server.answers.append(refuses(status, headers={"retry-after": "7"}))
    with pytest.raises(ConnectorError) as caught:
        await client.ask(LAMP, asks(), KEY)
    assert caught.value.retry_after == timedelta(seconds=7)


async def test_after_a_refusal_nobody_of_this_process_asks_before_its_time(
    server: Compatible, client: ModelClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.limits.Allowance.turn.__kwdefaults__", {"patience": timedelta()})
    server.answers.append(refuses(429, headers={"retry-after": "60"}))
    with pytest.raises(RateLimited):
        await client.ask(LAMP, asks(), KEY)
    with pytest.raises(RateLimited):
        await client.ask(LAMP, asks(), KEY)
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", ["context_length_exceeded", "exceed_context_size_error"])
async def test_what_does_not_fit_is_an_answer(server: Compatible, client: ModelClient, code: str) -> None:
    server.answers.append(refuses(400, code=code, message="maximum context length is 8192 tokens"))
    found = await client.ask(LAMP, asks(), KEY)
    assert (found.ended, found.tokens) == (Ended.CONTEXT_TOO_LONG, Tokens())


async def test_what_a_filter_refuses_is_an_answer(server: Compatible, client: ModelClient) -> None:
    server.answers.append(refuses(400, code="content_filter"))
    assert (await client.ask(LAMP, asks(), KEY)).ended is Ended.CONTENT_FILTER


async def test_a_server_that_is_not_there_was_not_asked(tmp_path: Path) -> None:
    client = ModelClient(deployed(tmp_path))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await client.ask(LAMP, asks(), KEY)


async def test_an_answer_that_does_not_come_in_time_may_have_been_billed(
    server: Compatible, url: str, tmp_path: Path
) -> None:
    class Silent(Response):
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            await asyncio.get_running_loop().create_future()

    models = deployed(tmp_path, url)
    hasty = dataclasses.replace(models.backends["lab"], seconds=1)
    client = ModelClient(dataclasses.replace(models, backends={**models.backends, "lab": hasty}))
    server.answers.append(Silent())
    with pytest.raises(OutcomeUnknown, match="may have been billed"):
        await client.ask(LAMP, asks(), KEY)
    assert len(server.asked) == 1


async def test_a_secret_without_its_field_says_where_it_belongs(server: Compatible, client: ModelClient) -> None:
    with pytest.raises(AuthDenied, match="banksman/models/lab has no field 'key'"):
        await client.ask(LAMP, asks(), {"password": SecretStr("x")})
    assert server.asked == []


async def test_ollama_is_asked_without_a_key_and_with_the_limit_that_it_knows(
    server: Compatible, client: ModelClient
) -> None:
    server.answers.append(says())
    await client.ask(ModelRef("attic", "qwen3:4b"), asks().model_copy(update={"max_tokens": 77}), {})
    assert server.keys == ["Bearer none"]
    assert server.asked[0]["model"] == "qwen3:4b"
    assert (server.asked[0]["max_tokens"], "max_completion_tokens" in server.asked[0]) == (77, False)


async def test_what_ollama_forgot_much_of_is_an_answer_to_nothing(server: Compatible, client: ModelClient) -> None:
    server.answers += [says(usage=USAGE | {"prompt_tokens": counted}) for counted in (4096, 12_000)]
    long = asks("The lamp in the cellar. " * 2000)
    cut = await client.ask(ModelRef("attic", "qwen3:4b"), long, {})
    assert (cut.ended, cut.parts, cut.tokens) == (Ended.CONTEXT_TOO_LONG, (), Tokens(input=4096, output=8))
    whole = await client.ask(ModelRef("attic", "qwen3:4b"), long, {})
    assert (whole.ended, whole.parts) == (Ended.STOP, (Text(text="lit"),))


async def test_who_refuses_what_does_not_fit_is_believed(server: Compatible, client: ModelClient) -> None:
    server.answers.append(says("It is lit."))
    assert (await client.ask(LAMP, asks("The lamp in the cellar. " * 2000), KEY)).ended is Ended.STOP
