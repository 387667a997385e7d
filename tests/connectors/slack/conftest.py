"""Twins of Slack on free ports."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.connectors.slack.workspace import Clock, Twin, serving


class MakeTwin(Protocol):
    """Starts one more twin; it ends with the test."""

    def __call__(self, **overrides: object) -> Twin: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_twin(clock: Clock) -> Iterator[MakeTwin]:
    with contextlib.ExitStack() as stack:

        def make(**overrides: object) -> Twin:
            return stack.enter_context(serving(clock, **overrides))

        yield make


@pytest.fixture
def twin(make_twin: MakeTwin) -> Twin:
    return make_twin()
