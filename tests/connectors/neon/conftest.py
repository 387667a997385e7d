"""Neon's twin, with a shop's database and a branch of it; every exchange with it is judged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.neon.twin.app import create_twin
from tests.connectors.judged import judged_twin
from tests.connectors.neon.at_neon import AtNeon, config
from tests.connectors.neon.published import NEON


@pytest.fixture
def neon(tmp_path: Path) -> Iterator[AtNeon]:
    with judged_twin(create_twin(config(tmp_path)), NEON) as judged:
        yield AtNeon(judged)
