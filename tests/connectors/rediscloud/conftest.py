"""Redis Cloud's twin, with an account that has two subscriptions; every exchange with it is judged."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from pydantic import SecretStr

from connectors.http import Api
from connectors.rediscloud.client import DIALECT, RedisCloud, account
from connectors.rediscloud.twin.app import TwinConfig, TwinSubscription, create_twin
from tests.connectors.judged import judged_twin
from tests.connectors.rediscloud.published import REDIS_CLOUD
from tests.connectors.serving import ServedTwin

API_KEY = "rediscloud-account-canary-1"
VIEWER = "rediscloud-viewer-canary-2"
OWNER = "rediscloud-owner-canary-3"
DESTROYER = "rediscloud-destroyer-canary-4"
CONFIG = TwinConfig(
    api_key=API_KEY,
    viewer=VIEWER,
    owner=OWNER,
    destroyer=DESTROYER,
    subscriptions=(TwinSubscription(id=1206, name="shop"), TwinSubscription(id=1207, name="lab")),
    processing_seconds=5,
    provisioning_seconds=60,
    per_minute=100_000,
)
Opened = Callable[..., AbstractAsyncContextManager[RedisCloud]]


@pytest.fixture
def twin() -> Iterator[ServedTwin]:
    app = create_twin(CONFIG)
    try:
        with judged_twin(app, REDIS_CLOUD) as judged:
            yield judged
    finally:
        app.state.twin.stop()


@pytest.fixture
def opened(twin: ServedTwin) -> Opened:
    """A session whose waiting lets the twin's time go by instead."""

    @asynccontextmanager
    async def open_with(key: str = OWNER) -> AsyncGenerator[RedisCloud]:
        async def sleep(seconds: float) -> None:
            twin.http.post("/_twin/clock", json={"advance": max(seconds, 1)}).raise_for_status()

        auth = account({"api_key": SecretStr(API_KEY), "secret_key": SecretStr(key)})
        async with Api(DIALECT, base_url=twin.url).open(auth) as session:
            yield RedisCloud(session, sleep)

    return open_with
