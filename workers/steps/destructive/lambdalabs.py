"""The step that launches at Lambda Labs what people approved."""

from collections.abc import Sequence

from activities.lambdalabs.buying import GpuPurchase
from connectors.lambdalabs.client import LambdaCloud
from connectors.lambdalabs.manifest import BUYING_KEY, LAMBDA_LABS
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (GpuPurchase(means.secrets, LambdaCloud(BUYING_KEY, means.settings.url_of(LAMBDA_LABS))),)
