"""No secret enters a history as part of a failure, nor the log, whoever said it: a canary in every field of every one.

GitHub's and Vault's own are beside their other bad days, where their servers are.
"""

import json
import socketserver
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError, CancelledError

from activities.pulumi.problems import problem
from connectors.artifacts import ArtifactStore
from connectors.errors import Conflict
from connectors.pulumi.event_reader import read_events
from connectors.vault.known import known
from connectors.vault.transport import Transport
from hitl.slack.blocks import Shown
from hitl.slack.client import SlackMessages, web_client
from observability.redaction import Redactor, redact
from sandbox.docker.engine import Engine
from sandbox.pulumi.outcome import RunOutcome, StepOutcome
from tests.activities.pulumi.test_files import files
from tests.security.canaries import ALL, AT_THE_CUT, SHAPED, clean, failing, telling
from workflows.converter import data_converter


@pytest.mark.parametrize("secret", SHAPED.values(), ids=SHAPED)
def test_whatever_is_raised_is_redacted_at_the_border_and_stays_readable(secret: str) -> None:
    try:
        try:
            raise ValueError(f"below: {secret}")  # noqa: TRY301 - a short chain, read best in one place
        except ValueError as below:
            raise ApplicationError(f"the 'main' branch: {secret}; try later", {"said": [secret]}, secret) from below
    except ApplicationError as error:
        kept = clean(error, keeps="the 'main' branch: ")
    assert "try later" in kept or "PRIVATE KEY" in secret
    assert "below: " in kept
    clean(CancelledError("stopped", secret))
    clean(RuntimeError(secret))


@pytest.mark.parametrize("secret", SHAPED.values(), ids=SHAPED)
@pytest.mark.parametrize("encoding", ["json/plain", "json/protobuf", "binary/plain", "binary/protobuf", "another", ""])
def test_no_detail_in_another_encoding_brings_a_secret_in(encoding: str, secret: str) -> None:
    for data in (json.dumps({"said": [secret]}).encode(), secret.encode(), f"{{{secret}".encode()):
        told = Payload(metadata={"encoding": encoding.encode()}, data=data)
        brought = Failure(message="elsewhere")
        brought.application_failure_info.details.payloads.append(told)
        error = ApplicationError("elsewhere")
        error._failure = brought  # as the SDK keeps what came from another process
        failure = Failure()
        converter = data_converter()
        converter.failure_converter.to_failure(error, converter.payload_converter, failure)
        [kept] = failure.application_failure_info.details.payloads
        assert secret.encode() not in kept.data
        assert json.loads(kept.data)


@pytest.mark.parametrize("encoding", ["binary/null", "binary/encrypted"])
def test_what_says_nothing_or_is_encrypted_passes_the_border(encoding: str) -> None:
    told = Payload(metadata={"encoding": encoding.encode()}, data=b"" if encoding == "binary/null" else b"\x00opaque")
    brought = Failure(message="elsewhere")
    brought.application_failure_info.details.payloads.append(told)
    error = ApplicationError("elsewhere")
    error._failure = brought
    failure = Failure()
    converter = data_converter()
    converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    assert failure.application_failure_info.details.payloads[0] == told


def test_what_is_no_secret_passes_the_border_as_it_is() -> None:
    details = {"reason": "phase", "action": "github.merge", "numbers": [1, 2.5, None, True], "text": "é ✓"}
    kept = clean(ApplicationError("'acme/shop' has no file 'token.txt'", details), keeps="no file 'token.txt'")
    assert json.dumps(json.dumps(details, separators=(",", ":"), ensure_ascii=False))[1:20] in kept


@pytest.mark.parametrize("cut", AT_THE_CUT)
def test_no_half_of_a_secret_is_left_where_words_are_cut(cut: str) -> None:
    for most in range(len(cut) - 60, len(cut)):
        clean(RuntimeError(redact.head(cut, most)))
        clean(RuntimeError(redact.tail(cut, len(cut) - most)))
    assert redact.tail("a" * 100_000 + "end", 5) == "aaend"
    pem = SHAPED["pem"]
    assert redact.text(f"{pem[40:]} it failed") == "[redacted private-key] it failed"


def test_what_vault_gave_is_known_by_its_name() -> None:
    given = known({"deploy_password": SecretStr("long-and-without-shape"), "region": SecretStr("eu-central-1")})
    assert given["region"].get_secret_value() == "eu-central-1"
    assert redact.text("eu-central-1: long-and-without-shape") == "eu-central-1: [redacted]"
    assert Redactor().text("long-and-without-shape") == "long-and-without-shape"


@pytest.mark.parametrize("word", [ALL, *AT_THE_CUT, "invalid_auth"])
@pytest.mark.parametrize("status", [200, 400, 403, 404, 409, 429, 500, 503])
async def test_slack(status: int, word: str) -> None:
    body = {
        "ok": False,
        "error": word,
        "needed": ALL,
        "provided": ALL,
        "warning": ALL,
        "errors": [ALL],
        "response_metadata": {"messages": [ALL], "warnings": [ALL]},
    }
    shown = Shown(text="Approve?", blocks=(), metadata={}, stage=0)
    with telling(status, json.dumps(body).encode(), **{"Retry-After": "1"}) as address:
        messages = SlackMessages(web_client(SecretStr("xoxb-of-this-test-only"), url=address))
        await failing(lambda: messages.post("C0OPS", shown), keeps="'C0OPS'")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 412, 429, 500, 502, 503])
@pytest.mark.parametrize("said", [ALL, *AT_THE_CUT])
async def test_vault(status: int, said: str) -> None:
    body = {"errors": [said, ALL], "warnings": [ALL], "data": {"error": ALL}}
    with telling(status, json.dumps(body).encode()) as address:
        transport = Transport(address)
        try:
            await failing(
                lambda: transport.call("the login", SecretStr("s"), lambda vault: vault.auth.token.lookup_self())
            )
        finally:
            transport.close()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500])
async def test_the_artifact_store(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    body = f"<Error><Code>{ALL}</Code><Message>{ALL}</Message><Resource>{ALL}</Resource></Error>".encode()
    with telling(status, body, kind="application/xml") as address:
        for name, value in {"ENDPOINT": address, "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "a", "REGION": "x"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        store = ArtifactStore("s3://bucket/prefix")
        await failing(lambda: store.put(b"content"), keeps="artifact store")
        await failing(lambda: store.get(f"sha256:{'0' * 64}"), keeps="artifact store")


@contextmanager
def engine(folder: Path, status: int, message: str) -> Generator[str]:
    """A container engine that refuses everything."""
    body = json.dumps({"message": message}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - http.server's name

    path = folder / "e.sock"
    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("status", [400, 404, 409, 500])
@pytest.mark.parametrize("said", [ALL, f"no space left on device {ALL}", *AT_THE_CUT])
async def test_the_container_engine(tmp_path: Path, status: int, said: str) -> None:
    with engine(tmp_path, status, said) as host:
        connection = Engine(host)
        try:
            await failing(lambda: connection.call(connection.api.inspect_container, "x"))
        finally:
            await connection.close()


@pytest.mark.parametrize("secret", [*SHAPED.values(), ALL, *AT_THE_CUT, f"{'y' * 1990}\n{ALL}"])
@pytest.mark.parametrize("step", ["engine", "create", "preview", "up"])
async def test_pulumi(step: str, secret: str) -> None:
    said = StepOutcome(name=step, exit_code=255, seconds=1, said=f"error: {secret}", changes={})
    for words in ("", "currently locked by ", "connection refused ", "permission denied "):
        told = said.model_copy(update={"said": f"{words}{said.said}"})
        outcome = RunOutcome(ended="failed", steps=(told,), program_output=secret, refused=(secret,), seconds=1)

        async def run(outcome: RunOutcome = outcome) -> None:
            raise problem(outcome, files(), what="the preview", hidden=())

        await failing(run, keeps="the preview of ")


@pytest.mark.parametrize("secret", [*SHAPED.values(), ALL])
def test_pulumis_events(secret: str) -> None:
    event = {"sequence": 1, "timestamp": 1, "diagnosticEvent": {"message": f"creating: {secret}", "severity": "error"}}
    log = read_events(json.dumps(event).encode() + b"\n")
    clean(RuntimeError(str(log)))
    # Not only at the border: how an update ended is a result, and stands in a history without being a failure.
    for part in secret.split():
        assert part not in str(log) or len(part) < 16


async def test_a_step_that_quotes_a_provider_is_still_of_use() -> None:
    async def merge() -> None:
        raise Conflict(f"GitHub refuses the merge of #7: Base branch was modified ({SHAPED['github']}). Review it")

    error = await failing(merge)
    assert error.message == (
        "GitHub refuses the merge of #7: Base branch was modified ([redacted github-token]). Review it"
    )
