"""Where in Vault the logins of a service lie, by what its manifest needs."""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Final, cast

import hvac
from pydantic import SecretStr

from connectors.creation import mark
from connectors.errors import NotFound
from connectors.neon.manifest import LOGIN
from connectors.qdrant.manifest import READERS
from connectors.rediscloud import manifest as rediscloud
from connectors.upstash import manifest as upstash
from connectors.vault.kv import MOUNT
from connectors.vault.transport import Transport, fields
from workflows.manifest.needs import NeonNeed, QdrantNeed, RedisNeed
from workflows.neon.goals import ISSUE_NEON_LOGIN, IssueNeonLoginInput
from workflows.redis.goals import RedisProvider

LONGEST_HOURS: Final = 720
_MADE: Final = {RedisProvider.UPSTASH: upstash.MADE, RedisProvider.REDIS_CLOUD: rediscloud.MADE}
READABLE: Final = (LOGIN, READERS, *_MADE.values())
"""What the platform's token may read."""


class LoginMissing(Exception):
    """Nobody has provided it; the message says how."""


def login_wanted(need: NeonNeed) -> IssueNeonLoginInput:
    """What the goal is asked that issues a service's login: it reads, for thirty days."""
    return IssueNeonLoginInput(
        project=need.project, branch=need.branch or "main", database=need.database or "", hours=LONGEST_HOURS
    )


def database_path(need: NeonNeed) -> tuple[str, str]:
    """Where its login lies, and what to say where there is none.

    Raises:
        LoginMissing: The need names no database, so that no login can be asked for.
    """
    if need.database is None:
        raise LoginMissing(f"the need {need.name!r} names no `database`")
    wanted = login_wanted(need)
    asked = json.dumps(wanted.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))
    command = f"banksman run {ISSUE_NEON_LOGIN.name} --input {shlex.quote(asked)}"
    return LOGIN.at(mark(wanted.business_key())), f"{need.name} has no login: `{command}` issues it"


def reader_path(need: QdrantNeed) -> str:
    """Where the key lies that reads its database."""
    return READERS.at(need.name)


async def newest_login(transport: Transport, token: SecretStr, need: RedisNeed) -> tuple[str, Mapping[str, SecretStr]]:
    """The login of its first consumer that was written last, with its path: those of databases that are gone are older.

    Raises:
        LoginMissing: There is none.
        ConnectorError: By the tree.
    """
    made, consumer = _MADE[need.provider], need.consumers[0].name
    found: list[tuple[str, str, Mapping[str, SecretStr]]] = []
    for database in await _below(transport, token, made.path.partition("/+")[0]):
        path = made.at(database, consumer)
        try:
            kept = await transport.call(f"the secret {MOUNT}/{path}", token, _reading(path))
        except NotFound:
            continue
        values = {name: SecretStr(str(value)) for name, value in fields(kept, "data", "data").items()}
        found.append((str(fields(kept, "data", "metadata", "created_time")), path, values))
    if not found:
        raise LoginMissing(f"{need.name} has no login for {consumer!r}: deploy the service, which provides it")
    _, path, values = max(found, key=lambda one: one[0])
    return path, values


async def _below(transport: Transport, token: SecretStr, folder: str) -> list[str]:
    try:
        answer = await transport.call(
            f"the secrets below {MOUNT}/{folder}",
            token,
            lambda vault: vault.secrets.kv.v2.list_secrets(path=folder, mount_point=MOUNT),
        )
    except NotFound:
        return []
    names = cast("list[str]", fields(answer, "data", "keys"))
    return [name.rstrip("/") for name in names]


def _reading(path: str) -> Callable[[hvac.Client], object]:
    return lambda vault: vault.secrets.kv.v2.read_secret_version(
        path=path, mount_point=MOUNT, raise_on_deleted_version=True
    )
