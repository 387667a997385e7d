"""The attacks from inside and on secrets once more, on an engine that remaps users; none of them may get further."""

import os

import pytest

from sandbox.docker.engine import Engine
from sandbox.docker.runtime import has_user_namespace
from tests.sandbox.attacks.test_from_inside import *  # noqa: F403 - the same tests
from tests.sandbox.attacks.test_secrets import *  # noqa: F403 - the same tests

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine with a user namespace of its own"),
]

# Its canaries are containers that are weaker on purpose, and here some of them get nowhere all the same.
globals().pop("TestASuccessWouldBeNoticed")


async def test_this_engine_remaps_users(engine: Engine) -> None:
    assert has_user_namespace(await engine.call(engine.api.info))
