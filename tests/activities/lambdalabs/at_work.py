"""The steps on Lambda Labs as their workers have them, on the judged twin; Vault keeps in a dictionary what it gets."""

import dataclasses
from typing import Any, Final

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.lambdalabs.changing import GpuChanging
from activities.lambdalabs.contracts import Choice, LaunchRequest, LeasedGpu
from activities.lambdalabs.looking import GpuLooking
from activities.lambdalabs.making import GpuMaking
from connectors.creation import mark
from connectors.lambdalabs.client import LambdaCloud
from connectors.lambdalabs.manifest import BUYING_KEY, KEY
from tests.activities.guard.attempts import times
from tests.activities.played_vault import PlayedVault
from tests.connectors.lambdalabs.conftest import BUYING_CANARY, KEY_CANARY, UNLIMITED
from tests.connectors.serving import ServedTwin

GOAL: Final = "lease-gpu/train"
MARK: Final = mark(GOAL)
GPU_OF_GOAL: Final = LeasedGpu(mark=MARK, name="train", cents_per_hour=75)
WEST, EAST = (Choice(type="gpu_1x_a10", region=region) for region in ("us-west-1", "us-east-1"))
SCARCE: Final = Choice(type="gpu_1x_gh200", region="us-east-1")
WANTED: Final = LaunchRequest(name="train", choices=(WEST, EAST), hours=3, cents_per_hour=75)


class Vault(PlayedVault):
    """Vault with the account's two keys, and the steps that ask it."""

    def __init__(self, twin: ServedTwin) -> None:
        super().__init__()
        self.twin = twin
        self.held |= {KEY.path: {"key": SecretStr(KEY_CANARY)}, BUYING_KEY.path: {"key": SecretStr(BUYING_CANARY)}}
        self.cloud = LambdaCloud(KEY, twin.url, UNLIMITED)

    @property
    def looking(self) -> GpuLooking:
        return GpuLooking(self, self.cloud)

    @property
    def changing(self) -> GpuChanging:
        return GpuChanging(self, self.cloud)

    @property
    def making(self) -> GpuMaking:
        return GpuMaking(self, self.cloud)


def at_work(step: str, *, attempt: int = 1, workflow_id: str = GOAL) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, Any] = {"workflow_id": workflow_id, "activity_type": step, "attempt": attempt, **times()}
    environment.info = dataclasses.replace(environment.info, **told)
    return environment
