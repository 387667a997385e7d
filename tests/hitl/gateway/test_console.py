"""The console in the gateway's process: its clicks and starts are those of every surface."""

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import WorkflowExecutionStatus

from activities.guard.key_ring import KeyRing
from connectors.artifacts import ArtifactStore
from connectors.errors import Unavailable as Sealed
from connectors.vault import VaultSession
from hitl.approval.decision import Surface, Verdict
from hitl.approval.plan import plan_digest
from hitl.console.ports import Unavailable
from hitl.gateway.decisions import Click, Kind
from tests.connectors.vault.server import SLACK, VaultServer
from tests.hitl.gateway.running import ONE, Place, eventually
from workers.console import Artifacts, GatewayGoals, NoConsole, github_sign_in
from workers.gateway import Gateway
from workers.serving import CannotListen, bind
from workflows.catalogue import find_goal
from workflows.repository.goals import ReadFileInput

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = ONE.replace("github:alice]", "github:alice, console:alice@acme.test]")


def by_console(approval: str, digest: str, verdict: Verdict = Verdict.APPROVE) -> Click:
    return Click(
        approval_id=approval,
        digest=digest,
        identity="console:alice@acme.test",
        verdict=verdict,
        reason="",
        surface=Surface.CONSOLE,
        clicked_at=datetime.now(UTC),
    )


async def test_a_decision_in_the_console_counts_and_slack_shows_it(one: Place) -> None:
    one.house.path.write_text(POLICY)
    async with one.running() as gateway:
        goal, approval, _ = await one.asked(gateway)
        digest = (await one.house.view(approval)).digest
        stale = await gateway.clicks.decide(by_console(approval, plan_digest("another")))
        told = await gateway.clicks.decide(by_console(approval, digest))
        assert (await goal.result()).outcome == "completed"
        await one.message(approval, lambda found: "alice approved (console)" in str(found["blocks"]))
    assert (stale.kind, told.kind) == (Kind.REFUSED, Kind.COUNTED)


async def test_a_goal_started_in_the_console_is_in_the_visitors_name(one: Place) -> None:
    one.house.path.write_text(POLICY)
    gateway = await one.made()
    goals = GatewayGoals(one.client, gateway.starts, gateway.steps._policy)
    entry = find_goal("ReadFile")
    assert entry is not None
    request = ReadFileInput(repository="acme/shop", path="docs/README.md")
    started = await goals.start(entry, request, identity="console:alice@acme.test")
    again = await goals.start(entry, request, identity="console:alice@acme.test")
    handle = one.client.get_workflow_handle(started.workflow_id, run_id=started.run_id)
    first = await gateway.starts._server.first_event(started.workflow_id, started.run_id)
    people = gateway.steps._policy.current().people
    assert await gateway.starts.requester(started.workflow_id, first, people) == "console:alice@acme.test"
    shown = await goals.show(started.workflow_id)
    assert (shown and shown.row.requester, shown and shown.summary) == ("console:alice@acme.test", request.summary())
    assert (started.existing, again.existing, again.run_id) == (False, True, started.run_id)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await handle.terminate()


async def test_a_start_that_cannot_be_signed_is_not_said_to_have_happened(one: Place) -> None:
    gateway = await one.made()
    entry = find_goal("ReadFile")
    assert entry is not None

    async def sealed(text: str) -> str:
        raise Sealed(text)

    gateway.starts._sign = sealed
    request = ReadFileInput(repository="acme/shop", path="never")
    with pytest.raises(Unavailable, match="Not confirmed"):
        await GatewayGoals(one.client, gateway.starts, gateway.steps._policy).start(
            entry, request, identity="console:alice@acme.test"
        )


async def test_the_gateway_serves_the_console(one: Place) -> None:
    made = await one.made(console_listen="127.0.0.1:0")
    assert made._console is not None
    _, listening = made._console
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(made.serve())
    async with httpx.AsyncClient(base_url=address) as hands:
        await eventually(lambda: _healthy(hands))
        page = await hands.get("/sign-in", headers={"Host": "127.0.0.1:8320"}, follow_redirects=False)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert page.status_code in {200, 303, 307}
    with pytest.raises(httpx.TransportError):
        await httpx.AsyncClient().get(address)


async def test_a_gateway_without_an_artifact_store_says_so_when_a_plan_is_looked_at(tmp_path: Path) -> None:
    kept = await ArtifactStore(str(tmp_path / "there")).put(b"a plan")
    assert await Artifacts(str(tmp_path / "there")).get(kept) == b"a plan"
    for nowhere in ("/dev/null/artifacts", "nothing://bucket"):
        with pytest.raises(Sealed, match="BANKSMAN_ARTIFACTS"):
            await Artifacts(nowhere).get(kept)


async def _healthy(hands: httpx.AsyncClient) -> bool:
    try:
        return (await hands.get("/healthz")).text == "ok"
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"console_url": None}, "BANKSMAN_CONSOLE_URL"),
        ({"development": False}, "console_secret"),
        ({"development": False, "secret": "s" * 32}, "by OpenID Connect or by GitHub"),
        ({"console_url": "https://console.example", "secret": "s" * 32}, "this machine alone"),
        ({"console_listen": "0.0.0.0:8320"}, "listens on this machine alone"),
        ({"console_oidc_issuer": "https://login.example"}, "set both"),
        ({"console_github_members": ("acme",)}, "BANKSMAN_CONSOLE_GITHUB_MEMBERS is set, and Vault holds no App"),
        ({"secret": "short"}, "shorter than 32 bytes"),
        ({"console_url": "http://console.example"}, "https"),
    ],
)
async def test_a_console_that_nobody_or_anybody_could_enter_is_not_served(
    one: Place, changes: dict[str, Any], problem: str
) -> None:
    secret = changes.pop("secret", None)
    settings = one.settings(**{"console_listen": "127.0.0.1:0"} | changes)
    tokens = {
        name: SecretStr(value) for name, value in (SLACK | ({"console_secret": secret} if secret else {})).items()
    }
    keys = KeyRing(lambda: one.vault.public_keys("approvals"))
    with pytest.raises(NoConsole, match=problem):
        Gateway(one.client, settings, one.vault, cluster="c", secrets=tokens, keys=keys)


async def test_the_app_that_people_sign_in_by_is_read_by_the_gateways_own_login(
    one: Place, vault_server: VaultServer, ledger: VaultSession
) -> None:
    served, path = one.settings(console_listen="127.0.0.1:0"), "banksman/data/github/sign-in"
    assert await github_sign_in(one.vault, served) is None
    vault_server.admin("POST", path, {"data": {"client_id": "Iv23li", "client_secret": "only the gateway reads it"}})
    try:
        found = await github_sign_in(one.vault, served)
        assert found is not None
        assert (found.client_id, found.client_secret.get_secret_value()) == ("Iv23li", "only the gateway reads it")
        assert "only the gateway" not in repr(found)
        assert await github_sign_in(one.vault, one.settings()) is None
        with pytest.raises(NoConsole, match=r"may not read 'github/sign-in' in Vault: `python -m deploy\.vault`"):
            await github_sign_in(ledger, served)
        vault_server.admin("POST", path, {"data": {"client_id": "Iv23li"}})
        with pytest.raises(NoConsole, match="lacks client_secret"):
            await github_sign_in(one.vault, served)
    finally:
        vault_server.admin("DELETE", "banksman/metadata/github/sign-in")
    gateway = await one.made(sign_in=found, console_listen="127.0.0.1:0")
    assert gateway._console is not None
    app, listening = gateway._console
    listening.close()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8320") as hands:
        sent = await hands.get("/sign-in/github?back=/")
    assert (sent.status_code, "client_id=Iv23li" in sent.headers["location"]) == (303, True)


async def test_an_address_that_cannot_be_had_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"'127.0.0.1:{port}' cannot be listened at"):
            bind(f"127.0.0.1:{port}")
    for wrong in ("8320", "host:port", "127.0.0.1:99999", ":1"):
        with pytest.raises(CannotListen, match="listen"):
            bind(wrong)
