"""Qdrant's judged twin, and a Vault in front of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette

from connectors.qdrant.twin.app import create_twin
from tests.activities.qdrant.at_work import Vault
from tests.connectors.judged import judged_twin
from tests.connectors.qdrant.conftest import CONFIG
from tests.connectors.qdrant.published import QDRANT


@pytest.fixture
def app() -> Starlette:
    return create_twin(CONFIG)


@pytest.fixture
def vault(app: Starlette) -> Iterator[Vault]:
    with judged_twin(app, QDRANT) as twin:
        yield Vault(twin)


@pytest.fixture
def known(app: Starlette) -> Any:
    """What the account has, to be changed by hand."""
    return app.state.twin.known
