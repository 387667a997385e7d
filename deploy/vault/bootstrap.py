"""Puts into a Vault what Banksman needs, idempotently: the second run changes nothing, and drift is put right.

The embedded OpenBao and a production Vault are prepared by this same code; only the token differs. Audit devices are
the server's own configuration (OpenBao 2.7 takes them from its configuration file only), see
`docs/how-to/production-vault.md`.
"""

import asyncio
import base64
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import hvac
from hvac import exceptions
from pydantic import SecretStr

from deploy.vault.layout import APP_ROLES, DELIVERER, ENGINES, TOKEN_ROLES, TRANSIT_KEYS, policies
from deploy.vault.rights import MOUNT

_KV_PATIENCE: Final = 10.0
_KV_POLL: Final = 0.05


class Verb(StrEnum):
    """What was done, or with `--check` would be."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Change:
    """One thing in Vault, and what became of it."""

    verb: Verb
    what: str

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


Report = Callable[[Change], None]


@dataclass
class BootstrapResult:
    """What processes are started with."""

    role_ids: dict[str, str] = field(default_factory=dict[str, str])
    deliverer_token: SecretStr = field(default_factory=lambda: SecretStr(""))


async def bootstrap(
    *, address: str, token: SecretStr, report: Report, check: bool = False, deliverer: bool = True
) -> BootstrapResult:
    """Bring a Vault into the state that `deploy/vault/layout.py` describes.

    Args:
        address: Vault's base URL.
        token: One that may do all this; used here and forgotten.
        report: Told of every object.
        check: Only say what would change.
        deliverer: Also make a token for the deliverer; every call makes a new one.

    Raises:
        hvac.exceptions.VaultError: Vault refuses something, for example because the token may not do it.
    """
    with contextlib.closing(_Vault(address, token)) as vault:
        run = _Bootstrap(vault.client, report, check=check)
        return await asyncio.to_thread(run.all, deliverer=deliverer)


async def seed_secret(*, address: str, token: SecretStr, path: str, values: Mapping[str, SecretStr]) -> bool:
    """Put a secret where there is none, or another one; with check-and-set, so that nobody's is overwritten unseen.

    Returns:
        Whether anything changed.
    """
    with contextlib.closing(_Vault(address, token)) as vault:
        return await asyncio.to_thread(_seed, vault.client, path, values)


class _Vault:
    """An hvac client whose connections are closed when it is."""

    def __init__(self, address: str, token: SecretStr) -> None:
        self.client = hvac.Client(url=address, token=token.get_secret_value())

    def close(self) -> None:
        self.client.adapter.close()


def _seed(client: hvac.Client, path: str, values: Mapping[str, SecretStr]) -> bool:
    plain = {name: value.get_secret_value() for name, value in values.items()}
    found, version = _current(client, path)
    if found == plain:
        return False
    client.secrets.kv.v2.create_or_update_secret(path=path, secret=plain, cas=version, mount_point=MOUNT)
    return True


def _current(client: hvac.Client, path: str) -> tuple[dict[str, object] | None, int]:
    """The secret and its version; None and the version to overwrite where there is none or it was deleted."""
    try:
        answer = _json(
            lambda: client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=MOUNT, raise_on_deleted_version=False
            )
        )
    except exceptions.InvalidPath:
        return None, 0
    return answer["data"]["data"], int(answer["data"]["metadata"]["version"])


class _Bootstrap:
    """One run over one Vault."""

    def __init__(self, client: hvac.Client, report: Report, *, check: bool) -> None:
        self._client = client
        self._tell = report
        self._check = check

    def all(self, *, deliverer: bool) -> BootstrapResult:
        """Everything, in the order in which one needs the other."""
        self._mounts()
        for name, kind in TRANSIT_KEYS.items():
            self._transit_key(name, kind)
        self._payload_keys()
        for name, text in policies().items():
            self._policy(name, text)
        for app_role in APP_ROLES:
            self._settings(f"auth/approle/role/{app_role.name}", f"AppRole {app_role.name}", app_role.settings())
        for token_role in (*TOKEN_ROLES, DELIVERER):
            self._settings(
                f"auth/token/roles/{token_role.name}", f"token role {token_role.name}", token_role.settings()
            )
        if self._check:
            return BootstrapResult()
        result = BootstrapResult(role_ids={role.name: self._role_id(role.name) for role in APP_ROLES})
        if deliverer:
            made = _json(lambda: self._client.auth.token.create(role_name=DELIVERER.name, display_name=DELIVERER.name))
            result.deliverer_token = SecretStr(made["auth"]["client_token"])
        return result

    def _mounts(self) -> None:
        secrets_engines = _json(lambda: self._client.sys.list_mounted_secrets_engines())["data"]  # noqa: PLW0108 - gives it a type
        auth_methods = _json(lambda: self._client.sys.list_auth_methods())["data"]  # noqa: PLW0108 - the same
        self._ensure(f"KV engine {MOUNT}/", present=f"{MOUNT}/" in secrets_engines, make=self._enable_kv)
        self._ensure(
            "transit engine",
            present="transit/" in secrets_engines,
            make=lambda: self._client.sys.enable_secrets_engine("transit"),
        )
        for engine in ENGINES:
            self._ensure(
                f"database engine {engine}/",
                present=f"{engine}/" in secrets_engines,
                make=lambda engine=engine: self._client.sys.enable_secrets_engine("database", path=engine),
            )
        self._ensure(
            "AppRole login",
            present="approle/" in auth_methods,
            make=lambda: self._client.sys.enable_auth_method("approle"),
        )

    def _enable_kv(self) -> None:
        self._client.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        _wait_for_kv(self._client)

    def _transit_key(self, name: str, kind: str) -> None:
        self._ensure(
            f"transit key {name}",
            present=self._read(f"transit/keys/{name}") is not None,
            make=lambda: self._client.secrets.transit.create_key(name=name, key_type=kind, exportable=False),
        )

    def _payload_keys(self) -> None:
        def make() -> None:
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            self._client.secrets.kv.v2.create_or_update_secret(
                path="payload-keys", secret={"current": "key-1", "key-1": key}, cas=0, mount_point=MOUNT
            )

        present = self._read(f"{MOUNT}/data/payload-keys") is not None
        self._ensure(f"payload key ring {MOUNT}/payload-keys", present=present, make=make)

    def _policy(self, name: str, text: str) -> None:
        found = self._read(f"sys/policies/acl/{name}")
        current = str(found["policy"]) if found else None
        if current is not None and current.strip() == text.strip():
            self._tell(Change(Verb.UNCHANGED, f"policy {name}"))
            return
        if not self._check:
            self._client.sys.create_or_update_acl_policy(name=name, policy=text)
        self._tell(Change(Verb.CREATED if current is None else Verb.UPDATED, f"policy {name}"))

    def _settings(self, path: str, what: str, wanted: Mapping[str, object]) -> None:
        """Write an object whose fields differ from what is wanted; fields we do not name are left alone."""
        found = self._read(path)
        if found is not None and all(_same(found.get(name), value) for name, value in wanted.items()):
            self._tell(Change(Verb.UNCHANGED, what))
            return
        if not self._check:
            self._client.write_data(path, data=dict(wanted))
        self._tell(Change(Verb.CREATED if found is None else Verb.UPDATED, what))

    def _ensure(self, what: str, *, present: bool, make: Callable[[], object]) -> None:
        if present:
            self._tell(Change(Verb.UNCHANGED, what))
            return
        if not self._check:
            make()
        self._tell(Change(Verb.CREATED, what))

    def _read(self, path: str) -> Mapping[str, object] | None:
        try:
            answer = _json(lambda: self._client.read(path))
        except (exceptions.InvalidRequest, exceptions.Forbidden):
            if self._check:  # an engine that is not mounted yet
                return None
            raise
        return answer["data"] if answer else None

    def _role_id(self, role: str) -> str:
        return str(_json(lambda: self._client.auth.approle.read_role_id(role_name=role))["data"]["role_id"])


def _json(work: Callable[[], object]) -> Any:
    """Hvac's answers carry no types; here they become JSON."""
    return work()


def _wait_for_kv(client: hvac.Client) -> None:
    """A fresh KV engine upgrades itself for a moment, and refuses reads with 400 until it is done."""
    deadline = time.monotonic() + _KV_PATIENCE
    while True:
        try:
            client.secrets.kv.v2.read_configuration(mount_point=MOUNT)
        except exceptions.InvalidRequest:
            if time.monotonic() > deadline:
                raise
            time.sleep(_KV_POLL)
        else:
            return


def _same(found: object, wanted: object) -> bool:
    """Vault answers lists in an order of its own, and leaves some empty fields out."""
    if found is None:
        return not wanted
    if isinstance(found, list) and isinstance(wanted, list):
        return sorted(map(str, found)) == sorted(map(str, wanted))  # pyright: ignore[reportUnknownArgumentType] - JSON
    return found == wanted
