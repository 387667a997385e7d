"""The step that tries a migration on a copy of a database."""

from collections.abc import Sequence

from activities.neon.migrations.rehearsing import NeonRehearsals
from activities.neon.migrations.running import Workplace
from workers.steps.sandbox import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    found = means.provision
    return (NeonRehearsals(Workplace(found.sandbox, found.image, found.limits), means.vault),)
