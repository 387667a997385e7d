"""An environment's audit files, empty at first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.rollout.writing import Days, days_of


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Days]:
    made = days_of(tmp_path, monkeypatch)
    yield made
    made.close()
