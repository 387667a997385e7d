"""Upstash's twin, with an account that has three databases; every exchange with it is judged."""

from collections.abc import Iterator

import pytest

from connectors.upstash.twin.app import TwinConfig, TwinDatabase, create_twin
from tests.connectors.judged import judged_twin
from tests.connectors.serving import ServedTwin
from tests.connectors.upstash.published import UPSTASH

EMAIL = "platform@example.com"
KEY_CANARY = "upstash-key-canary-31f7"
PASSWORD_CANARY = "upstash-password-canary-88b2"
CONFIG = TwinConfig(
    email=EMAIL,
    api_key=KEY_CANARY,
    databases=(
        TwinDatabase(
            database_id="id-1",
            database_name="shop-cache",
            read_regions=("eu-west-1",),
            password=PASSWORD_CANARY,
            rest_token=PASSWORD_CANARY,
            read_only_rest_token=PASSWORD_CANARY,
        ),
        TwinDatabase(database_id="id-2", database_name="twice"),
        TwinDatabase(database_id="id-3", database_name="twice"),
    ),
)


@pytest.fixture
def twin() -> Iterator[ServedTwin]:
    app = create_twin(CONFIG)
    try:
        with judged_twin(app, UPSTASH) as judged:
            yield judged
    finally:
        app.state.twin.stop()
