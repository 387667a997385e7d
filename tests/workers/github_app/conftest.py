"""GitHub's twin with nobody's App but the first, an empty Vault, and the token of the person who sets GitHub up."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from pydantic import JsonValue, SecretStr
from typer.testing import CliRunner

from connectors.github.models import AppCredentials
from connectors.github.registration import MadeApp, made_of_code
from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.apps import Apps, TwinApp
from connectors.vault.transport import Transport
from deploy.vault.bootstrap import bootstrap
from tests.connectors.github.making import install, made
from tests.connectors.github.recorded import Served, served
from tests.connectors.github.twin.server import CLIENT_ID, Key
from tests.connectors.vault.server import VaultServer, ignore
from workers.cli import app as command
from workers.github_app.findings import Finding, Look
from workers.github_app.kept import KeptInVault
from workers.github_app.making import Making
from workers.github_app.rotating import Rotating
from workers.github_app.wanted import AppKind, app_manifest

PATHS = ("github/app", "github/destructive-app", "github/webhook", "github/sign-in")
CALLBACK = "https://banksman.example/sign-in/github/callback"
WEBHOOK = "https://banksman.example/github/webhooks"


@dataclass(frozen=True)
class Place:
    """All of it.

    Attributes:
        token: With the policy `github-setup`.
        said: What the person was told.
        led: Where the person was led to.
    """

    twin: Served
    server: VaultServer
    token: SecretStr
    vault: KeptInVault
    said: list[str]
    led: list[str]

    def making(
        self, *, organisation: str = "acme", webhook: str | None = WEBHOOK, callback: str | None = None
    ) -> Making:
        """A run of the set-up."""
        return Making(
            github=self.twin.github(),
            vault=self.vault,
            pages=self.twin.address,
            organisation=organisation,
            webhook=webhook,
            lead=self.led.append,
            callback=callback,
        )

    def rotating(self, *, patience: float = 5) -> Rotating:
        """A change of a key or of the webhook's secret."""
        return Rotating(
            github=self.twin.github(),
            vault=self.vault,
            pages=self.twin.address,
            say=self.said.append,
            patience=patience,
            pause=0.01,
        )

    async def findings(self, *, webhook: str | None = WEBHOOK) -> list[Finding]:
        """What is found by a look."""
        look = Look(github=self.twin.github(), vault=self.vault, pages=self.twin.address, webhook=webhook)
        return await look.all()

    async def problems(self) -> dict[str, str]:
        """Of what is not as it must be, what it says."""
        return {f"{one.app} {one.what}": one.says for one in await self.findings() if not one.ok}

    def code(self, kind: AppKind = AppKind.ORDINARY, *, owner: str = "acme", **changed: object) -> str:
        """Make an App as the set-up has it made, without its page; the code for it."""
        manifest = app_manifest(
            kind, owner, homepage="https://acme.example", back="http://127.0.0.1:9/", webhook=WEBHOOK
        )
        return made(self.twin, {**manifest, **changed}, owner=owner)

    async def has(self, kind: AppKind = AppKind.ORDINARY, *, installed: bool = True) -> MadeApp:
        """An App that was set up whole."""
        app = await self.making().by_code(kind, self.code(kind))
        if installed:
            install(self.twin, app.slug)
        return app

    async def other_app(self) -> AppCredentials:
        """An App that nobody keeps."""
        return (await made_of_code(self.twin.github(), self.code(name="another"))).credentials()

    def at_github(self, app: MadeApp) -> TwinApp:
        """The App as GitHub has it."""
        [found] = [one for one in cast("Apps", self.twin.app.state.apps).all if one.number == app.id]
        return found

    def in_vault(self, path: str) -> Mapping[str, JsonValue] | None:
        """What lies there."""
        with contextlib.suppress(AssertionError):
            return cast("Mapping[str, JsonValue]", self.server.data(f"banksman/data/{path}")["data"])
        return None

    def token_with(self, policy: str) -> SecretStr:
        """Another token, with this policy alone."""
        made = self.server.admin("POST", "auth/token/create", {"policies": [policy], "ttl": "1h", "no_parent": True})
        return SecretStr(str(cast("dict[str, JsonValue]", made["auth"])["client_token"]))

    async def run(self, *arguments: str, token: str | None = None) -> tuple[int, str]:
        """The command, with the token on standard input; its exit code and all that it says."""
        return await asyncio.to_thread(self._run, arguments, token)

    def _run(self, arguments: tuple[str, ...], token: str | None) -> tuple[int, str]:
        environment = {"COLUMNS": "240", "BANKSMAN_GITHUB_URL": self.twin.address}
        given = [*arguments, "--vault", self.server.address]
        text = token if token is not None else self.token.get_secret_value()
        done = CliRunner(env=environment).invoke(command, ["github", *given], input=text)
        return done.exit_code, done.output


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vault_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    try:
        await bootstrap(address=server.address, token=server.root, report=ignore, deliverer=False)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def key() -> Key:
    return Key.make()


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repositories")
    for name in ("acme/shop", "globex/shop"):
        subprocess.run(["git", "init", "--quiet", "--bare", str(folder / f"{name}.git")], check=True)
    return folder


@pytest.fixture
def place(vault_server: VaultServer, key: Key, repositories: Path) -> Iterator[Place]:
    made = vault_server.admin(
        "POST", "auth/token/create", {"policies": ["github-setup"], "ttl": "1h", "no_parent": True}
    )
    token = SecretStr(str(cast("dict[str, JsonValue]", made["auth"])["client_token"]))
    transport = Transport(vault_server.address)
    config = TwinConfig(repositories=repositories, client_id=CLIENT_ID, public_key=key.public, accounts={"alice": 1001})
    with served(create_twin(config), client_id=CLIENT_ID, private_key=SecretStr(key.private)) as twin:
        yield Place(twin, vault_server, token, KeptInVault(transport, token), [], [])
    transport.close()
    for path in PATHS:
        vault_server.admin("DELETE", f"banksman/metadata/{path}")
