"""A feature of the sample service, deployed for real: what tests share that let something happen meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.demo.environment import Environment
from deploy.local.demo.pull_requests import Proposed
from deploy.local.demo.showing import Showing
from deploy.local.demo.storefront import ENVIRONMENT, Storefront
from deploy.local.example import SERVICE_REPOSITORY
from deploy.local.state import StackFolder
from tests.stack.running import Running
from tests.stack.services import require_services
from workflows.deploy_feature.goals import DeployNewFeatureInput
from workflows.plugin import banksman_plugin

_POLL: Final = 0.1


@contextmanager
def services(stack: Running) -> Generator[Running]:
    """Where services can be deployed; commands that the demonstration types meet this environment."""
    require_services(stack)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment.items():
            patch.setenv(name, value)
        yield stack


@dataclass(frozen=True)
class Shop:
    """The sample service on a running environment, up and whole."""

    stack: Running
    client: Client
    environment: Environment
    storefront: Storefront

    @classmethod
    async def of(cls, stack: Running) -> Self:
        """Deployed first where it is not there."""
        state = StackFolder(stack.home).read()
        assert state is not None
        client = await Client.connect(
            state.temporal.address, namespace=state.temporal.namespace, plugins=[banksman_plugin()]
        )
        environment = Environment(state, client)
        storefront = Storefront(environment)
        await Showing(environment, approve=True).bring_it_up(storefront)
        return cls(stack, client, environment, storefront)


def asked(proposed: Proposed) -> DeployNewFeatureInput:
    """What a goal is asked that deploys it."""
    return DeployNewFeatureInput(
        repository=SERVICE_REPOSITORY, pull_request=proposed.number, environments=(ENVIRONMENT,)
    )


async def until(holds: Callable[[], Awaitable[bool]], *, what: str, seconds: float = 60) -> None:
    """Poll until it does; a server that is being started again is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if await holds():
                return
        except RPCError:
            pass
        assert time.monotonic() < deadline, what
        await asyncio.sleep(_POLL)
