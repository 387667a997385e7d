"""The steps on Redis databases as their workers have them, on the twins over real servers; Vault is played."""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr
from temporalio.testing import ActivityEnvironment

from activities.guard.withheld import DestructiveSecrets
from activities.redis.databases import Seller
from activities.rediscloud import databases as rediscloud
from activities.secrets import KeepingTokens
from activities.step import Step, implemented, step_of
from activities.upstash import databases as upstash
from connectors.rediscloud.twin.app import create_twin as create_rediscloud
from connectors.upstash.twin.app import create_twin as create_upstash
from tests.activities.guard.attempts import times
from tests.activities.played_vault import PlayedVault
from tests.connectors.rediscloud import conftest as of_rediscloud
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.upstash import conftest as of_upstash

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass
class House:
    """A provider's twin, its steps, and a Vault."""

    seller: Seller
    ordinary: Callable[[Seller, KeepingTokens], object]
    granted: Callable[[Seller, DestructiveSecrets], object]
    twin: ServedTwin
    known: Any
    vault: PlayedVault
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
            yield House(made, *classes, twin, app.state.twin, PlayedVault(secrets), request, creates, pending)
    finally:
        app.state.twin.stop()


def at_work(step: str, workflow_id: str = "provision-redis/a", **info: object) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, object] = {"workflow_id": workflow_id, "activity_type": step, **times(), **info}
    environment.info = dataclasses.replace(environment.info, **told)  # pyright: ignore[reportArgumentType] - any field
    return environment
