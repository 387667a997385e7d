"""A models worker, and the server that all its backends are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.activities.models.at_work import House
from tests.connectors.models.compatible import Compatible
from tests.connectors.serving import served


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    server = Compatible()
    with served(server.app()) as url:
        yield House(tmp_path, server, url)
