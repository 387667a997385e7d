"""One compatible server, and a client of a deployment that names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.models.client import ModelClient
from tests.connectors.models.compatible import Compatible
from tests.connectors.models.deployed import deployed
from tests.connectors.serving import served


@pytest.fixture
def server() -> Compatible:
    return Compatible()


@pytest.fixture
def url(server: Compatible) -> Iterator[str]:
    with served(server.app()) as found:
        yield found


@pytest.fixture
def client(url: str, tmp_path: Path) -> ModelClient:
    return ModelClient(deployed(tmp_path, url))
