"""Estuary's twin, with a small shop and two service accounts."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from connectors.creation import Sleep
from connectors.estuary.client import Account, Estuary
from connectors.estuary.manifest import ACCOUNT
from connectors.estuary.twin.app import TwinAccount, TwinConfig, create_twin
from connectors.estuary.twin.seed import SHOP
from connectors.estuary.twin.state import Catalog
from tests.connectors.serving import ServedTwin, served_twin

APIKEY: Final = "public-apikey-of-the-tables"
KEY_CANARY: Final = "flow_sa_publisher-canary-51c0"
OTHER_KEY_CANARY: Final = "flow_sa_deleter-canary-77e2"
CONFIG: Final = TwinConfig(
    apikey=APIKEY,
    accounts={
        "publisher": TwinAccount(token_id="11", secret=KEY_CANARY),
        "deleter": TwinAccount(token_id="22", secret=OTHER_KEY_CANARY),
    },
    live=SHOP,
)


def fields(*, key: str = KEY_CANARY, of: str = "11") -> dict[str, SecretStr]:
    """As Vault keeps them."""
    return {"token_id": SecretStr(of), "secret": SecretStr(key), "apikey": SecretStr(APIKEY)}


DELETER: Final = fields(key=OTHER_KEY_CANARY, of="22")


def clocked(twin: ServedTwin) -> Sleep:
    """A sleep that lets the twin's time go by at once."""

    async def sleep(seconds: float) -> None:
        twin.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()

    return sleep


@asynccontextmanager
async def opened(twin: ServedTwin, account: Mapping[str, SecretStr] | None = None) -> AsyncGenerator[Account]:
    """What an account sees and does, at the twin."""
    estuary = Estuary(ACCOUNT, base_url=twin.url, sleep=clocked(twin))
    async with estuary.open(fields() if account is None else account) as found:
        yield found


@pytest.fixture
def app() -> Starlette:
    return create_twin(CONFIG)


@pytest.fixture
def catalog(app: Starlette) -> Catalog:
    """What the twin keeps."""
    found = app.state.twin.catalog
    assert isinstance(found, Catalog)
    return found


@pytest.fixture
def twin(app: Starlette) -> Iterator[ServedTwin]:
    with served_twin(app) as served:
        yield served
