"""The steps on Neon, in front of its twin, whose operations end while a client asks after them once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.neon.twin.app import create_twin
from tests.activities.neon.at_neon import House
from tests.connectors.neon.at_neon import AtNeon, config
from tests.connectors.serving import served_twin


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("connectors.neon.client._SHOWS_WITHIN", timedelta(seconds=1))
    with served_twin(create_twin(config(tmp_path, operation_seconds=0.05))) as served:
        yield House(AtNeon(served))
