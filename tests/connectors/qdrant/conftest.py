"""Qdrant's twin, with an account that has one database; every exchange with it is judged."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from starlette.applications import Starlette

from connectors.qdrant.twin.app import create_twin
from connectors.qdrant.twin.shapes import SeededDatabase, TwinConfig
from tests.connectors.judged import judged_twin
from tests.connectors.qdrant.published import ACCOUNT, QDRANT
from tests.connectors.serving import ServedTwin

import_module("connectors.qdrant.twin.databases")  # it takes seconds, and a request would wait for it

READING_CANARY = "qdrant-reading-canary-4d11"
WRITING_CANARY = "qdrant-writing-canary-9ae3"
BUYING_CANARY = "qdrant-buying-canary-70c2"
DELETING_CANARY = "qdrant-deleting-canary-e815"
READERS_CANARY = "qdrant-readers-canary-5b8f"
WRITERS_CANARY = "qdrant-writers-canary-c640"
FREE, PAID = "7c939d96-d671-4051-aa16-3b8b7130fa42", "39b48a76-2a60-4ee0-9266-6d1e0f91ea14"
CONFIG = TwinConfig(
    account=ACCOUNT,
    reading_key=READING_CANARY,
    writing_key=WRITING_CANARY,
    buying_key=BUYING_CANARY,
    deleting_key=DELETING_CANARY,
    databases=(
        SeededDatabase(
            name="shop-search",
            readers=READERS_CANARY,
            writers=WRITERS_CANARY,
            collection="products-v1",
            alias="products",
        ),
    ),
)


@pytest.fixture
def app() -> Starlette:
    return create_twin(CONFIG)


@pytest.fixture
def twin(app: Starlette) -> Iterator[ServedTwin]:
    with judged_twin(app, QDRANT) as judged:
        yield judged


@pytest.fixture
def known(app: Starlette) -> Any:
    """What the account has, to be changed by hand."""
    return app.state.twin.known
