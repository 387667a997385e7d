"""A real OpenBao process for tests: in memory, on a free port, sealed and unsealed at will."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
from pydantic import JsonValue, SecretStr

from connectors.errors import ConnectorError
from connectors.vault import Deliverer, VaultSession, WrappedSecretId
from deploy.vault.bootstrap import BootstrapResult, Change, bootstrap, seed_secret

BAO = Path(sys.executable).parent / "bao"
CANARY = "canary-5f1d0c7e-private-key"
SLACK = {"bot_token": "xoxb-canary", "app_token": "xapp-canary", "signing_secret": "canary-signing-secret"}
WEBHOOK = {"secret": "canary-webhook-secret"}
_PATIENCE = 20.0
_OK = 200
_CONFIGURATION = """\
storage "inmem" {{}}
listener "tcp" {{
  address     = "127.0.0.1:{port}"
  tls_disable = true
}}
disable_mlock = true
api_addr      = "http://127.0.0.1:{port}"
"""

Json = dict[str, JsonValue]


@dataclass
class VaultServer:
    """One OpenBao process, and an administrator's hands on it."""

    process: subprocess.Popen[bytes]
    address: str
    root: SecretStr
    unseal_key: str
    log: Path

    @classmethod
    def start(cls, folder: Path) -> "VaultServer":
        """Start, initialise and unseal a server."""
        port = free_port()
        config = folder / "server.hcl"
        config.write_text(_CONFIGURATION.format(port=port))
        log = folder / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen([BAO, "server", f"-config={config}"], stdout=out, stderr=out)
        address = f"http://127.0.0.1:{port}"
        server = cls(process, address, SecretStr(""), "", log)
        until(lambda: _answers(address), what="OpenBao answers")
        made = server.admin("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        server.root = SecretStr(str(made["root_token"]))
        server.unseal_key = str(cast("list[str]", made["keys_base64"])[0])
        server.unseal()
        return server

    def admin(self, method: str, path: str, body: Mapping[str, JsonValue] | None = None) -> Json:
        """One request with the root token; anything but success fails the test."""
        headers = {"X-Vault-Token": self.root.get_secret_value()}
        response = httpx.request(method, f"{self.address}/v1/{path}", json=body, headers=headers, timeout=10)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return cast("Json", response.json()) if response.content else {}

    def data(self, path: str) -> Json:
        """What lies at a path."""
        return cast("Json", self.admin("GET", path)["data"])

    def status(self, method: str, path: str, token: SecretStr, *, wrap: str | None = None) -> int:
        """The status of one request with this token."""
        headers = {"X-Vault-Token": token.get_secret_value()} | ({"X-Vault-Wrap-TTL": wrap} if wrap else {})
        body = None if method == "GET" else {"ttl": "1m"}
        return httpx.request(method, f"{self.address}/v1/{path}", json=body, headers=headers).status_code

    def admin_wrapped(self, path: str, body: Mapping[str, JsonValue]) -> SecretStr:
        """A wrapping token around the answer of one request with the root token."""
        headers = {"X-Vault-Token": self.root.get_secret_value(), "X-Vault-Wrap-TTL": "60s"}
        answer = httpx.post(f"{self.address}/v1/{path}", json=dict(body), headers=headers)
        return SecretStr(answer.raise_for_status().json()["wrap_info"]["token"])

    def seal(self) -> None:
        self.admin("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal it, and wait until it serves."""
        self.admin("PUT", "sys/unseal", {"key": self.unseal_key})
        until(lambda: httpx.get(f"{self.address}/v1/sys/health").status_code == _OK, what="it is unsealed")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def alive(self, accessor: str) -> bool:
        """Whether the token with this accessor still exists."""
        headers = {"X-Vault-Token": self.root.get_secret_value()}
        url = f"{self.address}/v1/auth/token/lookup-accessor"
        return httpx.post(url, json={"accessor": accessor}, headers=headers).status_code == _OK

    def accessors(self) -> set[str]:
        """The accessors of all tokens."""
        return set(cast("list[str]", cast("Json", self.admin("LIST", "auth/token/accessors")["data"])["keys"]))


@dataclass
class House:
    """A bootstrapped Vault, with the deliverer's token, the GitHub App's key and Slack's tokens in it."""

    server: VaultServer
    result: BootstrapResult
    sessions: list[VaultSession] = field(default_factory=list[VaultSession])

    @classmethod
    async def build(cls, server: VaultServer) -> "House":
        result = await bootstrap(address=server.address, token=server.root, report=ignore)
        app = {"app_id": "1", "private_key": CANARY}
        for path, values in (("github/app", app), ("github/webhook", WEBHOOK), ("slack/app", SLACK)):
            secrets = {name: SecretStr(value) for name, value in values.items()}
            await seed_secret(address=server.address, token=server.root, path=path, values=secrets)
        return cls(server, result)

    async def mint(self, role: str) -> WrappedSecretId:
        deliverer = Deliverer(address=self.server.address, token=self.result.deliverer_token)
        try:
            return await deliverer.mint(role)
        finally:
            deliverer.close()

    async def login(self, role: str, wrapped: WrappedSecretId | None = None) -> VaultSession:
        session = await VaultSession.login(
            address=self.server.address,
            role=role,
            role_id=self.result.role_ids[role],
            wrapped=wrapped or await self.mint(role),
        )
        self.sessions.append(session)
        return session

    async def close(self) -> None:
        """Close what logged in, also where Vault is gone by now."""
        for session in self.sessions:
            with contextlib.suppress(ConnectorError):
                await session.close()


def ignore(change: Change) -> None:
    """A report that nobody reads."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(holds: Callable[[], bool], *, what: str) -> None:
    """Poll until it holds, or fail at the deadline."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {_PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


def _answers(address: str) -> bool:
    try:
        httpx.get(f"{address}/v1/sys/health")
    except httpx.TransportError:
        return False
    return True
