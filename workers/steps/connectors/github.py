"""Steps that read and write on GitHub."""

from collections.abc import Sequence

from activities.dependencies.joining import JoiningActivities
from activities.dependencies.reading import ManifestActivities
from activities.github.asked import AskedActivities
from activities.github.branches import BranchActivities
from activities.github.changed import ChangedActivities
from activities.github.installations import InstallationActivities
from activities.github.listing import ListingActivities
from activities.github.people import PeopleActivities
from activities.github.pulls import PullRequestActivities
from activities.github.rates import RateActivities
from activities.github.reading import GitHubActivities
from activities.github.redelivery import RedeliveryActivities
from activities.github.reviewed import ReviewedActivities
from activities.github.showing import ShowingActivities
from activities.github.writing import GitHubWriteActivities
from activities.health.measuring import HealthActivities
from connectors.artifacts import ArtifactStore
from connectors.github.client import GitHubApp
from connectors.github.manifest import GITHUB
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    app, vault = GitHubApp(base_url=means.settings.url_of(GITHUB)), means.vault
    artifacts = ArtifactStore(means.settings.artifacts)
    return (
        GitHubActivities(app, vault, artifacts=artifacts),
        ListingActivities(app, vault, artifacts=artifacts),
        ManifestActivities(app, vault, artifacts=artifacts),
        JoiningActivities(artifacts),
        HealthActivities(app, vault),
        AskedActivities(app, vault, artifacts=artifacts),
        BranchActivities(app, vault),
        ChangedActivities(app, vault),
        PeopleActivities(app, vault),
        PullRequestActivities(app, vault),
        GitHubWriteActivities(app, vault, artifacts=artifacts),
        ReviewedActivities(app, vault, artifacts=artifacts),
        ShowingActivities(app, vault),
        RedeliveryActivities(app, vault),
        InstallationActivities(app, vault),
        RateActivities(app, vault),
    )
