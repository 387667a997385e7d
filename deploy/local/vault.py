"""The embedded OpenBao: configured, initialised, unsealed by a key file, and bootstrapped as a production Vault is.

Its storage survives a restart. What opens it lies beside it, in files only the owner reads: this is a development
server on the loopback interface, and whoever owns the folder owns everything in it anyway.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import httpx
import hvac
from hvac.exceptions import VaultError
from pydantic import SecretStr

from connectors.authorities import authorities
from connectors.vault import Deliverer
from connectors.vault.kv import MOUNT
from connectors.vault.transport import fields
from deploy.local.platform.consumers import READABLE
from deploy.local.processes.child import ChildFailed
from deploy.local.processes.ports import HOST
from deploy.local.state import StackFolder
from deploy.vault.bootstrap import BootstrapResult, Change, bootstrap, seed_secret

_ACTIVE_PATIENCE: Final = 30.0
_POLL: Final = 0.1
_PLATFORM: Final = "embedded-platform"
_PLATFORM_PERIOD: Final = "24h"
_CONFIGURATION = """\
storage "raft" {{
  path                   = "{data}"
  node_id                = "embedded"
  performance_multiplier = "1"
}}

seal "static" {{
  current_key_id = "embedded-1"
  current_key    = "file://{key}"
}}

listener "tcp" {{
  address         = "{host}:{port}"
  cluster_address = "{host}:{cluster_port}"  # else the port after it, which another part may have been given
  tls_disable     = true
}}

api_addr     = "http://{host}:{port}"
cluster_addr = "http://{host}:{cluster_port}"
"""


def platform_rights() -> str:
    """What the platform's token may, as Vault's policy."""
    rules = [f'path "{MOUNT}/data/{one.path}" {{ capabilities = ["read"] }}' for one in READABLE]
    folders = {one.path.partition("/+/+")[0] for one in READABLE if one.path.endswith("/+/+")}
    rules += [f'path "{MOUNT}/metadata/{one}/" {{ capabilities = ["list"] }}' for one in sorted(folders)]
    rules.append('path "auth/token/renew-self" { capabilities = ["update"] }')
    return "\n".join(rules)


@dataclass
class EmbeddedVault:
    """One OpenBao of one stack."""

    folder: StackFolder
    port: int
    cluster_port: int
    noted: Callable[[str], None]
    _result: BootstrapResult | None = field(default=None)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def configure(self) -> Path:
        """Write its configuration, and its unseal key where there is none."""
        (self.folder.vault / "data").mkdir(mode=0o700, exist_ok=True)
        key = self.folder.vault / "unseal.key"
        if not key.exists():
            self.folder.private("vault/unseal.key", secrets.token_bytes(32))
        text = _CONFIGURATION.format(
            data=self.folder.vault / "data", key=key, host=HOST, port=self.port, cluster_port=self.cluster_port
        )
        return self.folder.private("vault/server.hcl", text.encode())

    async def open(self) -> None:
        """Initialise it the first time, wait until it is unsealed and active, and put right what it holds.

        Raises:
            ChildFailed: It does not become active, or refuses something.
        """
        try:
            await asyncio.to_thread(self._initialise)
            await self._until_active()
            self._result = await bootstrap(address=self.address, token=self._root_token(), report=self._report)
        except VaultError as error:
            raise ChildFailed(f"the embedded Vault could not be set up: {error}. {self._where()}") from error

    async def _until_active(self) -> None:
        """Wait for its election of itself: until then it answers reads, and refuses writes."""
        deadline = time.monotonic() + _ACTIVE_PATIENCE
        async with httpx.AsyncClient(verify=authorities(), timeout=5) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{self.address}/v1/sys/health")).is_success:
                        return
                await asyncio.sleep(_POLL)
        raise ChildFailed(f"the embedded Vault was not active after {_ACTIVE_PATIENCE:.0f} s. {self._where()}")

    def _where(self) -> str:
        return f"Its log is {self.folder.logs / 'vault.log'}"

    async def seed(self, path: str, values: Mapping[str, SecretStr]) -> None:
        """Put a secret where the steps look for it."""
        if await seed_secret(address=self.address, token=self._root_token(), path=path, values=values):
            self.noted(f"wrote secret {path}")

    def role_id(self, role: str) -> str:
        """The role id of a worker's AppRole."""
        return self._bootstrapped().role_ids[role]

    async def wrapped_secret_id(self, role: str) -> SecretStr:
        """A fresh secret id, wrapped, for one login within a minute; made by a token that can do nothing else."""
        deliverer = Deliverer(address=self.address, token=self._bootstrapped().deliverer_token)
        return (await deliverer.mint(role)).token

    async def platform_token(self) -> SecretStr:
        """A token for the platform, which reads the logins of its services' needs and can do nothing else.

        It ends a day after its last renewal. In production a platform of one's own reads what it is given.

        Raises:
            VaultError: Vault refuses.
        """
        return await asyncio.to_thread(self._make_platform_token)

    def _make_platform_token(self) -> SecretStr:
        client = hvac.Client(url=self.address, token=self._root_token().get_secret_value(), timeout=30)
        try:
            client.sys.create_or_update_policy(_PLATFORM, platform_rights())
            made = cast("Any", client.auth.token).create_orphan(
                policies=[_PLATFORM], no_default_policy=True, period=_PLATFORM_PERIOD, renewable=True
            )
        finally:
            client.adapter.close()
        return SecretStr(str(fields(made, "auth", "client_token")))

    def codec_token(self) -> Path:
        """The token that the Temporal UI and CLI show to the codec server."""
        path = self.folder.root / "codec-token"
        if not path.exists():
            self.folder.private("codec-token", secrets.token_urlsafe(32).encode())
        return path

    def _bootstrapped(self) -> BootstrapResult:
        if self._result is None:
            raise RuntimeError("the embedded Vault was asked before it was opened")
        return self._result

    def _report(self, change: Change) -> None:
        self.noted(f"vault: {change}")

    def _initialise(self) -> None:
        client = hvac.Client(url=self.address, timeout=30)
        try:
            if client.sys.is_initialized():
                return
            shares = {"recovery_shares": 1, "recovery_threshold": 1, "secret_shares": 0}
            made = client.adapter.put("/v1/sys/init", json=shares)
        finally:
            client.adapter.close()
        self.folder.private("vault/init.json", json.dumps(made).encode())
        self.noted("initialised the embedded Vault")

    def _root_token(self) -> SecretStr:
        kept = self.folder.vault / "init.json"
        if not kept.exists():
            raise FileNotFoundError(
                f"{kept} is gone, and with it the way into the embedded Vault: "
                f"remove {self.folder.vault} and start again"
            )
        return SecretStr(json.loads(kept.read_text(encoding="utf-8"))["root_token"])
