"""Lambda's twin, with an account that has two keys; every exchange with it is judged."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from connectors.lambdalabs.client import Account, LambdaCloud, Limits
from connectors.lambdalabs.manifest import KEY
from connectors.lambdalabs.twin.app import TwinConfig, create_twin
from tests.connectors.judged import judged_twin
from tests.connectors.lambdalabs.published import LAMBDA
from tests.connectors.serving import ServedTwin

KEY_CANARY = "lambda-key-canary-7d21"
BUYING_CANARY = "lambda-buying-canary-0b9e"
CONFIG = TwinConfig(
    keys=(KEY_CANARY, BUYING_CANARY), boots_in=20, answers_in=10, ends_in=5, per_second=0, launch_every=0
)
UNLIMITED = Limits(account=None, launches=None)
Opened = Callable[..., AbstractAsyncContextManager[Account]]


@pytest.fixture
def app() -> Starlette:
    return create_twin(CONFIG)


@pytest.fixture
def twin(app: Starlette) -> Iterator[ServedTwin]:
    with judged_twin(app, LAMBDA) as judged:
        yield judged


@pytest.fixture
def known(app: Starlette) -> Any:
    """The twin itself, to be changed by hand."""
    return app.state.twin


@pytest.fixture
def opened(twin: ServedTwin) -> Opened:
    return lambda **given: opened_at(twin.url, **given)


@asynccontextmanager
async def opened_at(url: str, *, key: str = KEY_CANARY, limits: Limits = UNLIMITED) -> AsyncGenerator[Account]:
    """A session of one account."""
    async with LambdaCloud(KEY, url, limits).open({"key": SecretStr(key)}) as account:
        yield account


def advance(twin: ServedTwin, seconds: float) -> None:
    """Let time go by."""
    twin.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()
