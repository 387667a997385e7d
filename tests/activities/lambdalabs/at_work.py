"""The steps on Lambda Labs as their workers have them, on the judged twin; Vault keeps in a dictionary what it gets."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePath
from typing import Any, Final

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.lambdalabs.changing import GpuChanging
from activities.lambdalabs.contracts import Choice, LaunchRequest, LeasedGpu
from activities.lambdalabs.looking import GpuLooking
from activities.lambdalabs.making import GpuMaking
from activities.secrets import KeepingToken
from connectors.creation import mark
from connectors.lambdalabs.client import LambdaCloud
from connectors.lambdalabs.manifest import BUYING_KEY, KEY, LAMBDA_LABS
from tests.activities.guard.attempts import times
from tests.connectors.lambdalabs.conftest import BUYING_CANARY, KEY_CANARY, UNLIMITED
from tests.connectors.serving import ServedTwin

GOAL: Final = "lease-gpu/train"
MARK: Final = mark(GOAL)
GPU_OF_GOAL: Final = LeasedGpu(mark=MARK, name="train", cents_per_hour=75)
WEST, EAST = (Choice(type="gpu_1x_a10", region=region) for region in ("us-west-1", "us-east-1"))
SCARCE: Final = Choice(type="gpu_1x_gh200", region="us-east-1")
WANTED: Final = LaunchRequest(name="train", choices=(WEST, EAST), hours=3, cents_per_hour=75)
_CREDENTIALS: Final = {one.name: one for one in LAMBDA_LABS.credentials}


@dataclass
class Vault:
    """Everything that it holds, and what is wrong with it."""

    twin: ServedTwin
    held: dict[str, Mapping[str, SecretStr]] = field(default_factory=dict[str, Mapping[str, SecretStr]])
    failing: list[Exception] = field(default_factory=list[Exception])
    asked: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.held |= {KEY.path: {"key": SecretStr(KEY_CANARY)}, BUYING_KEY.path: {"key": SecretStr(BUYING_CANARY)}}
        self.cloud = LambdaCloud(KEY, self.twin.url, UNLIMITED)

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[KeepingToken]:
        assert metadata["workflow_id"]
        assert ttl > timedelta()
        self.asked.append(action)
        yield _Token(self, action)

    @property
    def looking(self) -> GpuLooking:
        return GpuLooking(self, self.cloud)

    @property
    def changing(self) -> GpuChanging:
        return GpuChanging(self, self.cloud)

    @property
    def making(self) -> GpuMaking:
        return GpuMaking(self, self.cloud)


@dataclass
class _Token:
    vault: Vault
    action: str

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert PurePath(path).match(_CREDENTIALS[self.action].secret.path.replace("+", "*"))
        return self.vault.held[path]

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        if self.vault.failing:
            raise self.vault.failing.pop(0)
        self.vault.held[path] = values
        return 1

    async def delete(self, path: str) -> None:
        if self.vault.failing:
            raise self.vault.failing.pop(0)
        self.vault.held.pop(path, None)

    async def list(self, path: str) -> list[str]:
        raise AssertionError(f"no step of Lambda Labs lists {path}")

    def release_soon(self) -> None:
        """Nothing to release."""


def at_work(step: str, *, attempt: int = 1, workflow_id: str = GOAL) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, Any] = {"workflow_id": workflow_id, "activity_type": step, "attempt": attempt, **times()}
    environment.info = dataclasses.replace(environment.info, **told)
    return environment
