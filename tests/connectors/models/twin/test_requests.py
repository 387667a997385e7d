"""What does not fit is refused as its provider does, by name and without a bill; and who may call."""

import json
from collections.abc import Mapping
from typing import Any, Final

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError

from connectors.models.twin.app import create_twin
from tests.connectors.models.twin.callers import BedrockCaller
from tests.connectors.models.twin.conftest import CONFIG, Asking, bills
from tests.connectors.serving import ServedTwin, served_twin

_OPENAI: Final = {"authorization": f"Bearer {CONFIG.openai}"}
_ANTHROPIC: Final = {"x-api-key": CONFIG.anthropic, "anthropic-version": "2023-06-01"}
_BEDROCK: Final = {"authorization": f"Bearer {CONFIG.bedrock.token}"}
_COMPLETIONS, _MESSAGES, _CONVERSE, _CHAT = (
    "/openai/v1/chat/completions",
    "/anthropic/v1/messages",
    "/bedrock/model/scripted%3A1/converse",
    "/ollama/api/chat",
)
_SAID: Final = [{"role": "user", "content": "greet me"}]
_BLOCKS: Final = [{"role": "user", "content": [{"text": "greet me"}]}]
_CALLED: Final = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
_USED: Final = {"type": "tool_use", "id": "c1", "name": "read", "input": {}}
_LOOSE: Final = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


def completion(**changed: Any) -> dict[str, Any]:
    return {"model": "scripted:1", "messages": _SAID, **changed}


def message(**changed: Any) -> dict[str, Any]:
    return {"model": "scripted:1", "max_tokens": 50, "messages": _SAID, **changed}


def converse(**changed: Any) -> dict[str, Any]:
    return {"messages": _BLOCKS, **changed}


MALFORMED: Final[list[tuple[str, Mapping[str, str], object, str]]] = [
    (_COMPLETIONS, _OPENAI, completion(messages=[{"role": "robot", "content": "x"}]), "messages.0"),
    (_COMPLETIONS, _OPENAI, completion(messages=[{"role": "user", "content": 3}]), "messages.0.content"),
    (_COMPLETIONS, _OPENAI, completion(messages=[]), "at least one"),
    (_COMPLETIONS, _OPENAI, {"messages": _SAID}, "model"),
    (_COMPLETIONS, _OPENAI, completion(heat=1), "heat"),
    (_COMPLETIONS, _OPENAI, completion(temperature="hot"), "temperature"),
    (_COMPLETIONS, _OPENAI, completion(tools=[{"type": "function", "function": {"name": "a b"}}]), "tools.0"),
    (_COMPLETIONS, _OPENAI, completion(messages=[*_SAID, {"role": "assistant", "tool_calls": [_CALLED]}]), "c1"),
    (_COMPLETIONS, _OPENAI, completion(messages=[{"role": "tool", "tool_call_id": "c9", "content": "x"}]), "c9"),
    (
        _COMPLETIONS,
        _OPENAI,
        completion(
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": _LOOSE, "strict": True}}
        ),
        "required",
    ),
    (
        _COMPLETIONS,
        _OPENAI,
        completion(
            tools=[
                {
                    "type": "function",
                    "function": {"name": "a", "strict": True, "parameters": {"type": "object", "properties": {}}},
                }
            ]
        ),
        "additionalProperties",
    ),
    (_MESSAGES, _ANTHROPIC, {"model": "scripted:1", "messages": _SAID}, "max_tokens"),
    (_MESSAGES, _ANTHROPIC, message(messages=[{"role": "robot", "content": "x"}]), "messages.0"),
    (_MESSAGES, _ANTHROPIC, message(messages=[]), "messages"),
    (_MESSAGES, _ANTHROPIC, message(max_token=3), "max_token: Extra inputs"),
    (_MESSAGES, _ANTHROPIC, message(messages=[{"role": "user", "content": ""}]), "non-empty"),
    (_MESSAGES, _ANTHROPIC, message(messages=[*_SAID, {"role": "assistant", "content": [_USED]}]), "c1"),
    (_MESSAGES, _ANTHROPIC, message(tools=[{"name": "a"}]), "tools.0"),
    (_CONVERSE, _BEDROCK, converse(messages=[{"role": "user", "content": "greet"}]), "messages[0].content"),
    (_CONVERSE, _BEDROCK, converse(message=1), "Unknown parameter"),
    (_CONVERSE, _BEDROCK, converse(inferenceConfig={"maxTokens": "5"}), "inferenceConfig.maxTokens"),
    (_CONVERSE, _BEDROCK, converse(messages=[{"role": "user", "content": [{"text": " "}]}]), "blank"),
    (
        _CONVERSE,
        _BEDROCK,
        converse(
            messages=[
                *_BLOCKS,
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "a", "input": {}}}]},
            ]
        ),
        "toolConfig",
    ),
    (_CHAT, {}, {"messages": _SAID}, "model"),
    (_CHAT, {}, completion(messages="greet"), "messages"),
    (_CHAT, {}, completion(format="yaml"), "format"),
]


@pytest.mark.parametrize(("path", "headers", "body", "named"), MALFORMED)
def test_what_does_not_fit_is_refused_by_name(
    twin: ServedTwin, path: str, headers: Mapping[str, str], body: object, named: str
) -> None:
    answer = twin.http.post(path, headers=headers, json=body)
    assert answer.status_code == 400
    assert named in answer.text
    assert bills(twin)["requests"] == 0


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        (_COMPLETIONS, _OPENAI, completion(temperature=0.5, seed=3, user="x")),
        (_MESSAGES, _ANTHROPIC, message(temperature=0.5)),
        (_CONVERSE, _BEDROCK, converse(inferenceConfig={"maxTokens": 50})),
        (_CHAT, {}, completion(nobody_knows=1)),
        ("/ollama/v1/chat/completions", {}, completion(nobody_knows=1)),
    ],
)
def test_what_fits_is_played(twin: ServedTwin, path: str, headers: Mapping[str, str], body: object) -> None:
    answer = twin.http.post(path, headers=headers, json=body)
    assert answer.status_code == 200, answer.text
    assert "morning" in answer.text
    assert bills(twin)["requests"] == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [(_COMPLETIONS, _OPENAI), (_MESSAGES, _ANTHROPIC), (_CONVERSE, _BEDROCK), (_CHAT, {})],
)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"model": 1e999}'])
def test_what_is_no_json_is_refused(twin: ServedTwin, path: str, headers: Mapping[str, str], body: bytes) -> None:
    assert twin.http.post(path, headers=headers, content=body).status_code == 400


def test_pictures_are_refused_as_what_the_twin_does_not_know(twin: ServedTwin) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    body = completion(messages=[{"role": "user", "content": [picture]}])
    answer = twin.http.post(_COMPLETIONS, headers=_OPENAI, json=body)
    assert answer.status_code == 501
    assert "messages.0.content" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/openai/v1/embeddings", "/anthropic/v1/complete", "/bedrock/model/a/invoke", "/ollama/api/pull"]
)
def test_what_the_twin_does_not_know_is_refused_in_the_form_of_the_wire(twin: ServedTwin, path: str) -> None:
    answer = twin.http.post(path, headers={**_OPENAI, **_ANTHROPIC} if "bedrock" not in path else _BEDROCK, json={})
    assert answer.status_code == 501
    assert path in json.dumps(answer.json())


def test_nothing_is_at_the_root(twin: ServedTwin) -> None:
    answer = twin.http.post("/v1/chat/completions", json={})
    assert (answer.status_code, "/openai/v1" in answer.text) == (404, True)


# Who may call.


def test_a_wrong_key_is_refused_by_every_sdk(twin: ServedTwin) -> None:
    wrong: Any = {"api_key": "wrong-canary", "max_retries": 0}
    with (
        openai.OpenAI(base_url=f"{twin.url}/openai/v1", **wrong) as client,
        pytest.raises(openai.AuthenticationError) as at_openai,
    ):
        client.models.list()
    with (
        anthropic.Anthropic(base_url=f"{twin.url}/anthropic", **wrong) as claude,
        pytest.raises(anthropic.AuthenticationError) as at_anthropic,
    ):
        claude.models.list()
    assert "canary" not in f"{at_openai.value} {at_anthropic.value}"


def test_anthropics_version_is_required(twin: ServedTwin) -> None:
    answer = twin.http.post(_MESSAGES, headers={"x-api-key": CONFIG.anthropic}, json=message())
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "anthropic-version" in answer.text


def test_a_signature_with_another_secret_is_refused(twin: ServedTwin) -> None:
    caller = BedrockCaller(f"{twin.url}/bedrock", CONFIG, secret="another")
    with pytest.raises(ClientError) as caught:
        caller.client.converse(modelId="scripted:1", messages=_BLOCKS)
    caller.client.close()
    assert (caught.value.response["Error"]["Code"], _status(caught.value)) == ("InvalidSignatureException", 403)


@pytest.mark.parametrize(
    ("access", "code"),
    [
        ({"access_key": "AKIANOBODY"}, "UnrecognizedClientException"),
        ({"region": "us-east-1"}, "InvalidSignatureException"),
    ],
)
def test_a_signature_of_another_key_or_region_is_refused(twin: ServedTwin, access: dict[str, str], code: str) -> None:
    changed = CONFIG.model_copy(update={"bedrock": CONFIG.bedrock.model_copy(update=access)})
    caller = BedrockCaller(f"{twin.url}/bedrock", changed)
    with pytest.raises(ClientError) as caught:
        caller.client.converse(modelId="scripted:1", messages=_BLOCKS)
    caller.client.close()
    assert (caught.value.response["Error"]["Code"], _status(caught.value)) == (code, 403)


def test_a_signed_request_whose_body_is_changed_on_its_way_is_refused(asking: Asking, twin: ServedTwin) -> None:
    bedrock = asking("bedrock")
    assert isinstance(bedrock, BedrockCaller)
    sent = list[Any]()
    bedrock.client.meta.events.register("before-send.bedrock-runtime.*", lambda request, **_: sent.append(request))
    bedrock.client.converse(modelId="scripted:1", messages=_BLOCKS)
    (request,) = sent
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    again = twin.http.post(request.url, headers=headers, content=request.body)
    changed = twin.http.post(request.url, headers=headers, content=request.body.replace(b"greet", b"greed"))
    assert (again.status_code, changed.status_code) == (200, 403)
    assert changed.headers["x-amzn-errortype"] == "InvalidSignatureException"
    elsewhere = twin.http.post(request.url.replace("scripted", "closed"), headers=headers, content=request.body)
    assert elsewhere.status_code == 403
    assert elsewhere.headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_what_is_not_signed_is_refused(twin: ServedTwin) -> None:
    bare = twin.http.post(_CONVERSE, json=converse())
    assert (bare.status_code, bare.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    torn = twin.http.post(_CONVERSE, headers={"authorization": "AWS4-HMAC-SHA256 Credential=a"}, json=converse())
    assert (torn.status_code, torn.headers["x-amzn-errortype"]) == (403, "IncompleteSignatureException")


def test_a_server_in_front_of_ollama_may_want_a_key() -> None:
    with served_twin(create_twin(CONFIG.model_copy(update={"ollama": "k"}))) as guarded:
        for path in ("/ollama/api/tags", "/ollama/v1/models"):
            assert guarded.http.get(path).status_code == 401
            assert guarded.http.get(path, headers={"authorization": "Bearer k"}).status_code == 200


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


# What else can be asked.


def test_models_are_listed_on_every_wire(twin: ServedTwin) -> None:
    ids = [one.id for one in CONFIG.models]
    with openai.OpenAI(base_url=f"{twin.url}/openai/v1", api_key=CONFIG.openai, max_retries=0) as client:
        assert [one.id for one in client.models.list()] == ids
        assert client.models.retrieve("scripted:1").id == "scripted:1"
    with anthropic.Anthropic(base_url=f"{twin.url}/anthropic", api_key=CONFIG.anthropic, max_retries=0) as client:
        assert [one.id for one in client.models.list()] == ids
        assert client.models.retrieve("scripted:1").id == "scripted:1"
    tags = twin.http.get("/ollama/api/tags").json()["models"]
    assert [one["name"] for one in tags] == ids
    assert twin.http.get("/ollama/api/version").json() == {"version": "0.17.4"}
    assert "tools" in twin.http.post("/ollama/api/show", json={"model": "scripted:1"}).json()["capabilities"]
    assert twin.http.post("/ollama/api/show", json={"model": "gone"}).status_code == 404


def test_tokens_are_counted_before_they_are_billed(asking: Asking, twin: ServedTwin) -> None:
    with anthropic.Anthropic(base_url=f"{twin.url}/anthropic", api_key=CONFIG.anthropic, max_retries=0) as client:
        said: Any = _SAID
        counted = client.messages.count_tokens(model="scripted:1", messages=said).input_tokens
        beta = client.beta.messages.count_tokens(model="scripted:1", messages=said).input_tokens
        asked = client.messages.create(model="scripted:1", messages=said, max_tokens=50)
        tried = client.beta.messages.create(model="scripted:1", messages=said, max_tokens=50)
    bedrock = asking("bedrock")
    assert isinstance(bedrock, BedrockCaller)
    at_bedrock = bedrock.client.count_tokens(modelId="scripted:1", input={"converse": {"messages": _BLOCKS}})
    assert counted == beta == at_bedrock["inputTokens"] == asked.usage.input_tokens == tried.usage.input_tokens == 2
    assert bills(twin)["requests"] == 2


def test_a_model_with_an_arn_is_found(asking: Asking) -> None:
    bedrock = asking("bedrock")
    assert isinstance(bedrock, BedrockCaller)
    answered = bedrock.client.converse(modelId=CONFIG.models[1].id, messages=_BLOCKS)
    assert answered["output"]["message"]["content"][0]["text"].startswith("Good")


def test_what_is_marked_is_cached(asking: Asking, twin: ServedTwin) -> None:
    system = "You answer from files only, and you are told this at some length so that it is worth keeping."
    marked: Any = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
    said: Any = _SAID
    with anthropic.Anthropic(base_url=f"{twin.url}/anthropic", api_key=CONFIG.anthropic, max_retries=0) as client:
        usages = [
            client.messages.create(model="scripted:1", system=marked, messages=said, max_tokens=50).usage
            for _ in range(2)
        ]
        twin.http.post("/_twin/clock", json={"advance": 301}).raise_for_status()
        usages.append(client.messages.create(model="scripted:1", system=marked, messages=said, max_tokens=50).usage)
    assert [(one.cache_creation_input_tokens, one.cache_read_input_tokens, one.input_tokens) for one in usages] == [
        (24, 0, 2),
        (0, 24, 2),
        (24, 0, 2),
    ]
    bedrock = asking("bedrock")
    assert isinstance(bedrock, BedrockCaller)
    points = [{"text": system}, {"cachePoint": {"type": "default"}}]
    first, second = (
        bedrock.client.converse(modelId="scripted:1", system=points, messages=_BLOCKS)["usage"] for _ in range(2)
    )
    assert (first["cacheReadInputTokens"], second["cacheWriteInputTokens"]) == (0, 0)
    assert first["cacheWriteInputTokens"] == second["cacheReadInputTokens"] > 0
    total = bills(twin)
    assert (total["requests"], total["cache_write"] > total["cache_read"]) == (5, True)


def test_no_key_is_ever_told(twin: ServedTwin) -> None:
    twin.http.post(_COMPLETIONS, headers=_OPENAI, json=completion())
    told = [twin.http.get(f"/_twin/{one}").text for one in ("score", "cues", "bills", "requests", "faults")]
    assert not any("canary" in one for one in [*told, repr(CONFIG)])
