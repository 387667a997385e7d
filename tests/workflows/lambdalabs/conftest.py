"""Lambda's twin, whose machines boot at once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from activities.lambdalabs import making
from tests.workflows.lambdalabs.at_lambda import AtLambda, at_lambda


@pytest.fixture
def lambda_labs(monkeypatch: pytest.MonkeyPatch) -> Iterator[AtLambda]:
    monkeypatch.setattr(making, "SHOWS_WITHIN", timedelta(seconds=1))
    with at_lambda() as place:
        yield place
