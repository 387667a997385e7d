"""Steps that look at Lambda Labs, launch what the policy lets, change it and end it; they share the account's turns."""

from collections.abc import Sequence

from activities.lambdalabs.changing import GpuChanging
from activities.lambdalabs.looking import GpuLooking
from activities.lambdalabs.making import GpuMaking
from connectors.lambdalabs.client import LambdaCloud
from connectors.lambdalabs.manifest import KEY, LAMBDA_LABS
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    cloud = LambdaCloud(KEY, means.settings.url_of(LAMBDA_LABS))
    return (GpuLooking(means.vault, cloud), GpuMaking(means.vault, cloud), GpuChanging(means.vault, cloud))
