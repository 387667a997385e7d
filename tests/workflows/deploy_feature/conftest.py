"""What the tests of deployments share."""

from pathlib import Path

import pytest
from temporalio.client import Client

from tests.workflows.deploy_feature.deploying import Deploying, Make


@pytest.fixture
def make(client: Client, tmp_path: Path) -> Make:
    """The systems of one deployment, each played by what a test makes of its world."""
    return lambda world: Deploying(client, tmp_path, world)
