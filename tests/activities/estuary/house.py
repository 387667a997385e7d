"""The steps on Estuary as their workers have them, on the twin; what each asks of Vault is noted."""

import contextlib
import dataclasses
from collections.abc import Generator
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.estuary.destruction import FlowDestruction
from activities.estuary.flows import FlowActivities
from activities.guard.withheld import DestructiveSecrets
from connectors.estuary.manifest import ACCOUNT, DESTRUCTIVE_ACCOUNT
from connectors.estuary.twin.app import create_twin
from connectors.estuary.twin.state import Catalog, PublicationRow
from tests.activities.guard.attempts import times
from tests.activities.played_vault import PlayedVault
from tests.connectors.estuary.conftest import CONFIG, DELETER, clocked, fields
from tests.connectors.serving import ServedTwin, served_twin


class House(PlayedVault):
    """The twin, and the ports of the steps in front of it."""

    def __init__(self, twin: ServedTwin, known: Any) -> None:
        super().__init__({ACCOUNT.path: fields(), DESTRUCTIVE_ACCOUNT.path: DELETER})
        self.twin, self.known = twin, known
        assert isinstance(known.catalog, Catalog)
        self.catalog = known.catalog

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
    with served_twin(app) as twin:
        yield House(twin, app.state.twin)


def at_work(step: str, workflow_id: str = "publish-flow/acme/shop/", **info: object) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, object] = {"workflow_id": workflow_id, "activity_type": step, **times(), **info}
    environment.info = dataclasses.replace(environment.info, **told)  # pyright: ignore[reportArgumentType] - any field
    return environment
