"""The steps on Estuary as their workers have them, on the twin; what each asks of Vault is noted."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.estuary.destruction import FlowDestruction
from activities.estuary.flows import FlowActivities
from activities.guard.withheld import DestructiveSecrets
from activities.secrets import StepToken
from connectors.estuary.twin.app import create_twin
from connectors.estuary.twin.state import Catalog, PublicationRow
from tests.activities.guard.attempts import times
from tests.connectors.estuary.conftest import CONFIG, DELETER, clocked, fields
from tests.connectors.serving import ServedTwin, served_twin

_READS = {
    "estuary-read": ("estuary/account", fields()),
    "estuary-publish": ("estuary/account", fields()),
    "estuary-destroy": ("estuary/destructive-account", DELETER),
}
"""The one secret that each token role reads."""


@dataclass
class Token:
    """A step's token, which reads one secret."""

    path: str
    secret: Mapping[str, SecretStr]

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert path == self.path
        return self.secret

    def release_soon(self) -> None:
        """Nothing to release."""


@dataclass
class House:
    """The twin, and the ports of the steps in front of it."""

    twin: ServedTwin
    catalog: Catalog
    actions: list[str] = field(default_factory=list[str])

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[StepToken]:
        assert metadata["workflow_id"]
        assert ttl > timedelta()
        self.actions.append(action)
        yield Token(*_READS[action])

    @property
    def flows(self) -> FlowActivities:
        """New for each attempt, as after a worker that died."""
        return FlowActivities(self, base_url=self.twin.url, sleep=clocked(self.twin))

    @property
    def destruction(self) -> FlowDestruction:
        return FlowDestruction(DestructiveSecrets(self), base_url=self.twin.url, sleep=clocked(self.twin))

    def published(self) -> list[PublicationRow]:
        """Every publication that was not a dry run."""
        return [one for one in self.catalog.publications.values() if not one.dry_run]

    def pub_id(self, name: str) -> str:
        """The publication that was last of what is live."""
        return self.catalog.live[name].pub_id


@contextlib.contextmanager
def houses() -> Generator[House]:
    """A house with a twin of its own."""
    app = create_twin(CONFIG)
    catalog = app.state.twin.catalog
    assert isinstance(catalog, Catalog)
    with served_twin(app) as twin:
        yield House(twin, catalog)


def at_work(step: str, workflow_id: str = "publish-flow/acme/shop/", **info: object) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, object] = {"workflow_id": workflow_id, "activity_type": step, **times(), **info}
    environment.info = dataclasses.replace(environment.info, **told)  # pyright: ignore[reportArgumentType] - any field
    return environment
