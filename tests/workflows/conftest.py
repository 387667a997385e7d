"""Fixtures of the workflow tests."""

import uuid

import pytest

from tests.workflows.scripted import Steps


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def goal_id() -> str:
    return f"test-{uuid.uuid4()}"
