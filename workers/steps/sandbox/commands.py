"""The step that runs a command."""

from collections.abc import Sequence

from activities.sandbox.commands import SandboxActivities
from workers.steps.sandbox import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    found = means.provision
    return (SandboxActivities(found.sandbox, image=found.image, limits=found.limits, secrets=means.vault),)
