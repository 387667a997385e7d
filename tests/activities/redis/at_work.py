"""The steps on Redis databases as their workers have them, on the twins over real servers; Vault is played."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr
from temporalio.testing import ActivityEnvironment

from activities.guard.withheld import DestructiveSecrets
from activities.redis.databases import Seller
from activities.rediscloud import databases as rediscloud
from activities.secrets import KeepingToken, KeepingTokens
from activities.step import Step, implemented, step_of
from activities.upstash import databases as upstash
from connectors.errors import AuthDenied
from connectors.provider import Credential, providers
from connectors.rediscloud.twin.app import create_twin as create_rediscloud
from connectors.upstash.twin.app import create_twin as create_upstash
from tests.activities.guard.attempts import times
from tests.connectors.rediscloud import conftest as of_rediscloud
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.upstash import conftest as of_upstash

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass
class Vault:
    """Gives to each token role what its policy would."""

    secrets: dict[str, Mapping[str, SecretStr]]
    asked: list[str] = field(default_factory=list[str])
    fails: int = 0

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[KeepingToken]:
        assert metadata["workflow_id"]
        self.asked.append(action)
        yield Token(self, action)


@dataclass(frozen=True)
class Token:
    """A step's."""

    vault: Vault
    action: str

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        credential = _credential(self.action)
        if not _covers(credential.secret.path, path):
            raise AuthDenied(f"{self.action} may not read {path}")
        return self.vault.secrets[path]

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        if not any(_covers(one.path, path) for one in _credential(self.action).keeps):
            raise AuthDenied(f"{self.action} may not write {path}")
        if self.vault.fails:
            self.vault.fails -= 1
            raise AuthDenied("sealed for the test")
        self.vault.secrets[path] = values
        return 1

    async def delete(self, path: str) -> None:
        if not any(_covers(one.path, path) for one in _credential(self.action).forgets):
            raise AuthDenied(f"{self.action} may not delete {path}")
        self.vault.secrets.pop(path, None)

    async def list(self, path: str) -> list[str]:
        if not any(_covers(one.path, f"{path}/any") for one in _credential(self.action).forgets):
            raise AuthDenied(f"{self.action} may not list {path}")
        return [last for above, _, last in (one.rpartition("/") for one in self.vault.secrets) if above == path]

    def release_soon(self) -> None:
        """Nothing to release."""


def _credential(action: str) -> Credential:
    return next(one for provider in providers().values() for one in provider.credentials if one.name == action)


def _covers(pattern: str, path: str) -> bool:
    ours, theirs = pattern.split("/"), path.split("/")
    return len(ours) == len(theirs) and all(one in {"+", other} for one, other in zip(ours, theirs, strict=True))


@dataclass
class House:
    """A provider's twin, its steps, and a Vault."""

    seller: Seller
    ordinary: Callable[[Seller, KeepingTokens], object]
    granted: Callable[[Seller, DestructiveSecrets], object]
    twin: ServedTwin
    vault: Vault
    request: dict[str, Any]
    creates: str
    pending: bool

    async def run(self, step: Step[Any, Answer], request: BaseModel, *, attempt: int = 1) -> Answer:
        """One attempt of an ordinary step."""
        return await at_work(step.name, attempt=attempt).run(self.method(step), request)

    def method(self, step: Step[Any, Any]) -> Callable[..., Any]:
        """What implements a step."""
        secrets = DestructiveSecrets(self.vault)
        owners = self.ordinary(self.seller, self.vault), self.granted(self.seller, secrets)
        return next(one for one in implemented(*owners) if step_of(one) is step)

    def advance(self, seconds: float = 120) -> None:
        """Let time go by at the twin."""
        self.twin.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()

    def posts(self) -> int:
        """How often the twin made a database."""
        asked = [one for one in self.twin.requests() if one["method"] == "POST" and one["handled"]]
        return sum(one["path"].endswith(self.creates) for one in asked)


@contextlib.contextmanager
def houses(name: str) -> Generator[House]:
    """The one of a provider."""
    if name == "upstash":
        config = of_upstash.CONFIG.model_copy(update={"destroyer": "upstash-destroyer-canary"})
        app, make = create_upstash(config), upstash.seller
        classes = upstash.UpstashDatabases, upstash.UpstashGrantedDatabases
        account = {"email": SecretStr(config.email), "api_key": SecretStr(config.api_key)}
        destroyer = account | {"api_key": SecretStr(config.destroyer)}
        secrets: dict[str, Mapping[str, SecretStr]] = {"upstash/account": account, "upstash/destruction": destroyer}
        request: dict[str, Any] = {"name": "cache", "region": "eu-west-1", "most_usd": 100}
        creates, pending = "/redis/database", False
    else:
        told = of_rediscloud.CONFIG
        config = told.model_copy(update={"processing_seconds": 0.05, "provisioning_seconds": 60})
        app, make = create_rediscloud(config), rediscloud.seller
        classes = rediscloud.RedisCloudDatabases, rediscloud.RedisCloudGrantedDatabases
        keys = {"viewer": config.viewer, "owner": config.owner, "destruction": config.destroyer}
        secrets = {
            f"rediscloud/{kind}": {"api_key": SecretStr(config.api_key), "secret_key": SecretStr(key)}
            for kind, key in keys.items()
        }
        request = {"name": "cache", "subscription": "shop", "most_usd": 100}
        creates, pending = "/databases", True
    try:
        with served_twin(app) as twin:
            made = dataclasses.replace(make(twin.url), shows_within=timedelta(seconds=1))
            yield House(made, *classes, twin, Vault(secrets), request, creates, pending)
    finally:
        app.state.twin.stop()


def at_work(step: str, workflow_id: str = "provision-redis/a", **info: object) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, object] = {"workflow_id": workflow_id, "activity_type": step, **times(), **info}
    environment.info = dataclasses.replace(environment.info, **told)  # pyright: ignore[reportArgumentType] - any field
    return environment
