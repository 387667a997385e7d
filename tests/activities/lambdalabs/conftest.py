"""Lambda's judged twin, and a Vault in front of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from activities.lambdalabs import making
from connectors.lambdalabs.twin.app import create_twin
from tests.activities.lambdalabs.at_work import Vault
from tests.connectors.judged import judged_twin
from tests.connectors.lambdalabs.conftest import CONFIG
from tests.connectors.lambdalabs.published import LAMBDA


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin shows at once what it has."""
    monkeypatch.setattr(making, "SHOWS_WITHIN", timedelta(seconds=1))


@pytest.fixture
def app() -> Starlette:
    return create_twin(CONFIG)


@pytest.fixture
def vault(app: Starlette) -> Iterator[Vault]:
    with judged_twin(app, LAMBDA) as twin:
        yield Vault(twin)


@pytest.fixture
def known(app: Starlette) -> Any:
    """The twin itself, to be changed by hand."""
    return app.state.twin
