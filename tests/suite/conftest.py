"""A fresh project for each test here."""

from pathlib import Path

import pytest

from tests.suite.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
