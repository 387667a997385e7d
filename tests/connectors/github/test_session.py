"""A session's token: narrow, made with as few requests as can be, and given back whatever happens."""

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.testing import capture_logs

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, Unavailable
from connectors.github.client import GitHubApp
from connectors.github.models import AppCredentials
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.recorded import Served

READ = {"contents": "read"}
_PATIENCE = 20


async def read_once(github: GitHubApp, credentials: AppCredentials, *, repository: str = "acme/shop") -> bytes:
    async with github.session(credentials, repository=repository, permissions=READ) as session:
        return (await session.read_file("README.md")).content


def asked(twin: Served) -> list[str]:
    """Methods and paths, installation numbers left out."""
    lines = [f"{one['method']} {one['path']}" for one in twin.requests()]
    return [re.sub(r"installations/\d+", "installations/N", line) for line in lines]


async def until_asked(twin: Served, path: str) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not any(path in line for line in asked(twin)):  # noqa: ASYNC110 - the twin is another thread
            await asyncio.sleep(0.01)


async def test_five_requests_on_one_connection_then_four(twin: Served) -> None:
    github = twin.github()
    await read_once(github, twin.credentials)
    mint, read = "POST /app/installations/N/access_tokens", "GET /repos/acme/shop"
    rest = [mint, f"{read}/commits/HEAD", f"{read}/contents/README.md", "DELETE /installation/token"]
    assert asked(twin) == [f"{read}/installation", *rest]
    assert len({one.connection for one in twin.recorder.exchanges}) == 1
    twin.forget()
    await read_once(github, twin.credentials)
    assert asked(twin) == rest


async def test_the_token_is_asked_for_as_narrow_as_the_step_says(twin: Served) -> None:
    await read_once(twin.github(), twin.credentials)
    minted = next(one for one in twin.recorder.exchanges if one.method == "POST")
    assert json.loads(minted.request_body) == {"repositories": ["shop"], "permissions": {"contents": "read"}}
    answer = json.loads(minted.body)
    assert answer["permissions"] == {"contents": "read", "metadata": "read"}
    assert [one["full_name"] for one in answer["repositories"]] == ["acme/shop"]


async def test_the_jwt_is_short_and_begins_a_minute_ago(twin: Served) -> None:
    await read_once(twin.github(), twin.credentials)
    header, claims, _ = twin.recorder.bearers[0].split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "RS256"
    assert told["iss"] == twin.credentials.client_id
    assert (told["exp"] - told["iat"], set(told)) == (600, {"iat", "exp", "iss"})


async def test_the_token_is_revoked_after_success(twin: Served) -> None:
    await read_once(twin.github(), twin.credentials)
    assert twin.live_tokens == 0
    token = twin.recorder.bearers[-1]
    reply = twin.hands.get("/repos/acme/shop", headers={"Authorization": f"Bearer {token}"})
    assert (reply.status_code, reply.json()["message"]) == (401, "Bad credentials")


async def test_the_token_is_revoked_after_an_error(twin: Served) -> None:
    with pytest.raises(NotFound):
        async with twin.github().session(twin.credentials, repository="acme/shop", permissions=READ) as session:
            await session.read_file("missing")
    with pytest.raises(ZeroDivisionError):
        async with twin.github().session(twin.credentials, repository="acme/shop", permissions=READ):
            raise ZeroDivisionError
    assert (twin.live_tokens, asked(twin).count("DELETE /installation/token")) == (0, 2)


async def test_the_token_is_revoked_at_once_when_a_read_is_cancelled(twin: Served) -> None:
    twin.plant(kind="delay", path="/contents/", seconds=60)
    reading = asyncio.create_task(read_once(twin.github(timeout=4), twin.credentials))
    await until_asked(twin, "/contents/")
    reading.cancel()
    async with asyncio.timeout(3.5):  # well before the read's own time-out
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert (twin.live_tokens, asked(twin)[-1]) == (0, "DELETE /installation/token")


async def test_a_token_that_is_being_made_when_cancelled_is_revoked_too(twin: Served) -> None:
    twin.plant(kind="delay", path="/access_tokens", seconds=0.5)
    reading = asyncio.create_task(read_once(twin.github(), twin.credentials))
    await until_asked(twin, "/access_tokens")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (twin.live_tokens, asked(twin)[-1]) == (0, "DELETE /installation/token")
    assert not any("/contents/" in line for line in asked(twin))


async def test_a_cancellation_during_the_end_does_not_stop_the_end(twin: Served) -> None:
    twin.plant(kind="delay", path="/installation/token", seconds=0.5)
    reading = asyncio.create_task(read_once(twin.github(), twin.credentials))
    await until_asked(twin, "/installation/token")
    for _ in range(3):
        reading.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert twin.live_tokens == 0


async def test_a_token_that_cannot_be_revoked_is_logged_and_the_result_stands(make_twin: MakeTwin) -> None:
    twin = make_twin()
    twin.plant(kind="status", path="/installation/token", status=503)
    with capture_logs() as logs:
        assert await read_once(twin.github(), twin.credentials) == b"# Shop\n"
    [one] = logs
    assert (one["log_level"], one["repository"]) == ("warning", "acme/shop")
    assert "503" in str(one["why"])


async def test_reads_at_the_same_time_share_a_session(twin: Served) -> None:
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=READ) as session:
        paths = ["README.md", "run.sh", "empty"] * 3
        files = await asyncio.gather(*(session.read_file(path) for path in paths))
    assert [file.path for file in files] == paths
    assert {file.path: file.content for file in files}["run.sh"] == b"#!/bin/sh\n"


async def test_sessions_at_the_same_time_have_tokens_of_their_own(twin: Served) -> None:
    github = twin.github()
    await asyncio.gather(*(read_once(github, twin.credentials, repository=f"acme/{n}") for n in ("shop", "other") * 3))
    tokens = {bearer for bearer in twin.recorder.bearers if bearer.startswith("ghs_")}
    assert (len(tokens), twin.live_tokens) == (6, 0)


async def test_an_installation_with_a_new_number_is_found_again(twin: Served) -> None:
    github = twin.github()
    await read_once(github, twin.credentials)
    twin.forget()
    twin.plant(kind="status", path="/access_tokens", status=404, body={"message": "Not Found"})
    assert await read_once(github, twin.credentials) == b"# Shop\n"
    assert asked(twin)[:3] == [
        "POST /app/installations/N/access_tokens",
        "GET /repos/acme/shop/installation",
        "POST /app/installations/N/access_tokens",
    ]


@pytest.mark.parametrize("repository", ["acme/missing", "nobody/shop"])
async def test_a_repository_without_the_app_is_named(twin: Served, repository: str) -> None:
    with pytest.raises(NotFound, match=f"the GitHub App is not installed on '{repository}'"):
        await read_once(twin.github(), twin.credentials, repository=repository)


async def test_an_app_installed_on_one_repository_only(make_twin: MakeTwin) -> None:
    twin = make_twin(installed=["acme/other"])
    assert await read_once(twin.github(), twin.credentials, repository="acme/other") == b"# Shop\n"
    with pytest.raises(NotFound, match="not installed on 'acme/shop'"):
        await read_once(twin.github(), twin.credentials)


async def test_a_permission_that_the_app_lacks_is_named(make_twin: MakeTwin) -> None:
    twin = make_twin(permissions={"metadata": "read", "contents": "read"})
    with pytest.raises(AuthDenied, match=r"\{'contents': 'write'\} on 'acme/shop': grant it these permissions"):
        async with twin.github().session(twin.credentials, repository="acme/shop", permissions={"contents": "write"}):
            pytest.fail("a token came that nobody granted")


async def test_a_permission_that_the_step_did_not_declare_is_not_there(twin: Served) -> None:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"issues": "read"}
    ) as session:
        with pytest.raises(AuthDenied, match="refuses our token on 'acme/shop': grant the App the permission"):
            await session.read_file("README.md")


async def test_a_token_that_ends_early_says_run_again(make_twin: MakeTwin) -> None:
    twin = make_twin(token_seconds=0)
    with capture_logs(), pytest.raises(AuthDenied, match="ended before the step did: run it again"):
        await read_once(twin.github(), twin.credentials)


@pytest.mark.parametrize(
    "repository",
    ["shop", "/shop", "acme/", "acme/shop/x", "../shop", "acme/..", "acme/.", "a b/c", "acme/sh\nop", "é/x"],
)
async def test_what_is_no_repository_is_never_asked_for(twin: Served, repository: str) -> None:
    with pytest.raises(InvalidRequest, match="name it as 'OWNER/NAME'"):
        await read_once(twin.github(), twin.credentials, repository=repository)
    assert twin.recorder.exchanges == []


@pytest.fixture
def elliptic() -> str:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form).decode()


async def test_a_key_that_is_none_is_refused_before_anything_is_sent(twin: Served, elliptic: str) -> None:
    for key in ("canary-of-a-key", "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", elliptic):
        wrong = AppCredentials(client_id="Iv1", private_key=SecretStr(key))
        with pytest.raises(AuthDenied, match="the private key of the GitHub App 'Iv1' is not an RSA key") as caught:
            await read_once(twin.github(), wrong)
        assert "canary" not in str(caught.value)
    assert twin.recorder.exchanges == []


async def test_a_key_that_github_does_not_know_is_named(twin: Served) -> None:
    stranger = twin.credentials.model_copy(update={"client_id": "Iv1.other"})
    with pytest.raises(AuthDenied, match="GitHub refuses the App's private key"):
        await read_once(twin.github(), stranger)


async def test_a_key_withdrawn_while_the_installation_is_known_is_named(twin: Served) -> None:
    github = twin.github()
    await read_once(github, twin.credentials)
    twin.plant(kind="status", path="/access_tokens", status=401, body={"message": "A JSON web token could not …"})
    with pytest.raises(AuthDenied, match="GitHub refuses the App's private key"):
        await read_once(github, twin.credentials)


async def test_no_secret_is_logged_even_at_debug(twin: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await read_once(twin.github(), twin.credentials)
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "DEBUG" in {record.levelname for record in caplog.records}
    assert not any(bearer in said for bearer in twin.recorder.bearers)
    assert twin.credentials.private_key.get_secret_value().splitlines()[1] not in said


async def test_requests_are_counted_by_outcome(twin: Served) -> None:
    def counted(outcome: str) -> float:
        labels = {"provider": "github", "outcome": outcome}
        return REGISTRY.get_sample_value("banksman_provider_requests_total", labels) or 0.0

    ok, missing = counted("ok"), counted("NotFound")
    await read_once(twin.github(), twin.credentials)
    with pytest.raises(ConnectorError):
        await read_once(twin.github(), twin.credentials, repository="acme/missing")
    assert (counted("ok") - ok, counted("NotFound") - missing) == (5, 1)


@pytest_asyncio.fixture
async def nobody() -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = cast("int", server.sockets[0].getsockname()[1])
    yield f"http://127.0.0.1:{port}"
    server.close()
    await server.wait_closed()


async def test_a_server_that_hangs_up_and_one_that_is_not_there(twin: Served, nobody: str) -> None:
    with pytest.raises(Unavailable, match="GitHub cannot be reached for the App's installation on 'acme/shop'"):
        await read_once(GitHubApp(base_url=nobody), twin.credentials)
    closed = nobody.rpartition(":")[0] + ":1"
    with pytest.raises(Unavailable, match="GitHub cannot be reached"):
        await read_once(GitHubApp(base_url=closed), twin.credentials)
