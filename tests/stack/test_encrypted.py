"""A stack that encrypts payloads, and the codec server that reads them for those who may."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.stack.running import Running
from workers.commands.exits import Exit

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LICENSE = '{"repository":"acme/shop","path":"LICENSE"}'
LINE = ["workflow", "execute", "--type", "ReadFile", "--task-queue", "banksman-goals"]


def readable(node: Any) -> str:
    """All that a history holds for one without the key: its text, and its payloads out of their base64."""
    match node:
        case dict():
            texts: list[str] = []
            for key, value in node.items():
                texts.append(str(key))
                if key == "data" and isinstance(value, str):
                    texts.append(base64.b64decode(value).decode("utf-8", "replace"))
                texts.append(readable(value))
            return "\n".join(texts)
        case list():
            return "\n".join(readable(one) for one in node)
        case _:
            return str(node)


def codec_token(running: Running) -> str:
    return (running.home / "codec-token").read_text()


def with_codec(running: Running) -> list[str]:
    return ["--codec-endpoint", running.state["codec"]["url"], "--codec-auth", f"Bearer {codec_token(running)}"]


def test_a_history_holds_no_plain_text_and_the_command_reads_it(encrypted: Running, goal_id: str) -> None:
    ended = encrypted.read_file(goal_id, LICENSE)
    assert "Apache License" in ended["result"]["content"]
    found = readable(json.loads(encrypted.history(goal_id)))
    assert "ActivityTaskCompleted".lower() in found.lower().replace("_", "")
    for plain in ("Apache", "LICENSE", '"path"', "content"):
        assert plain not in found, plain


def test_the_search_would_find_plain_text(stack: Running, goal_id: str) -> None:
    stack.read_file(goal_id, LICENSE)
    found = readable(json.loads(stack.history(goal_id)))
    assert "Apache" in found
    assert "LICENSE" in found


def test_the_message_of_a_failure_is_encrypted_too(encrypted: Running, goal_id: str) -> None:
    ended = encrypted.read_file(goal_id, '{"repository":"acme/shop","path":"no/such/diary"}')
    assert ended["error_type"] == "NotFound"
    assert "diary" in ended["error"]
    assert "diary" not in readable(json.loads(encrypted.history(goal_id)))


def test_a_plain_start_ends_with_one_line_that_names_the_way(encrypted: Running, goal_id: str) -> None:
    done = encrypted.temporal(*LINE, "--workflow-id", goal_id, "--input", LICENSE, *with_codec(encrypted)[:0])
    assert done.returncode != 0
    shown = encrypted.temporal("workflow", "show", "--workflow-id", goal_id, *with_codec(encrypted))
    assert "--codec-endpoint" in shown.stdout


def test_the_temporal_cli_works_through_the_codec_server(encrypted: Running, goal_id: str) -> None:
    codec = with_codec(encrypted)
    done = encrypted.temporal(*LINE, "--workflow-id", goal_id, "--input", LICENSE, *codec)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Apache License" in done.stdout
    assert "LICENSE" not in readable(json.loads(encrypted.history(goal_id)))


def test_the_command_names_a_codec_server_that_refuses_it(encrypted: Running, goal_id: str) -> None:
    kept = codec_token(encrypted)
    try:
        (encrypted.home / "codec-token").write_text("of-somebody-else")
        done = encrypted.banksman("run", "ReadFile", "--input", LICENSE, "--id", goal_id)
    finally:
        (encrypted.home / "codec-token").write_text(kept)
    assert done.returncode == Exit.FAILED
    assert "Traceback" not in done.stderr
    assert "codec" in done.stderr


@pytest.fixture
def payload() -> str:
    return json.dumps({"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "InNlY3JldCI="}]})


def ask(running: Running, body: str | bytes, verb: str = "encode", **headers: str | None) -> httpx.Response:
    """Ask as one who may, but for the headers given; None leaves one out."""
    usual: dict[str, str | None] = {"Authorization": f"Bearer {codec_token(running)}", "X-Namespace": "default"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in {**usual, **named}.items() if value is not None}
    return httpx.post(f"{running.state['codec']['url']}/{verb}", content=body, headers=sent)


def test_one_who_may_gets_back_what_was_encrypted(encrypted: Running, payload: str) -> None:
    sealed = ask(encrypted, payload)
    assert sealed.status_code == 200
    assert "InNlY3JldCI=" not in sealed.text
    opened = ask(encrypted, sealed.text, "decode").json()["payloads"][0]
    assert base64.b64decode(opened["data"]) == b'"secret"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer of-somebody-else"}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"X_Namespace": None}, 403),
        ({"X_Namespace": "other"}, 403),
    ],
)
def test_one_who_may_not_gets_nothing(
    encrypted: Running, payload: str, headers: dict[str, str | None], status: int
) -> None:
    for verb in ("encode", "decode"):
        answer = ask(encrypted, payload, verb, **headers)
        assert answer.status_code == status
        assert "payloads" not in answer.json()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"payloads": 1}'])
def test_garbage_is_refused_in_one_line(encrypted: Running, body: bytes) -> None:
    answer = ask(encrypted, body, "decode")
    assert answer.status_code == 400
    assert "message" in answer.json()


def test_a_payload_that_was_tampered_with_is_refused(encrypted: Running, payload: str) -> None:
    sealed = ask(encrypted, payload).json()
    raw = bytearray(base64.b64decode(sealed["payloads"][0]["data"]))
    raw[-1] ^= 1
    sealed["payloads"][0]["data"] = base64.b64encode(bytes(raw)).decode()
    answer = ask(encrypted, json.dumps(sealed), "decode")
    assert answer.status_code == 422
    assert "does not decrypt" in answer.json()["message"]


def test_a_huge_body_is_refused(encrypted: Running) -> None:
    assert ask(encrypted, b" " * (17 << 20), "decode").status_code == 413


def test_only_the_temporal_ui_may_call_from_a_browser(encrypted: Running, payload: str) -> None:
    ui = encrypted.state["temporal"]["ui"]
    assert ask(encrypted, payload, Origin=ui).headers["access-control-allow-origin"] == ui
    assert "access-control-allow-origin" not in ask(encrypted, payload, Origin="http://evil.example").headers
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert httpx.options(f"{encrypted.state['codec']['url']}/decode", headers=asked).status_code == 400
