"""Steps that delete and merge on GitHub."""

from collections.abc import Sequence

from activities.github.branches import BranchDestruction
from activities.github.pulls import PullRequestMerging
from connectors.github.client import GitHubApp
from connectors.github.manifest import GITHUB
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    app = GitHubApp(base_url=means.settings.url_of(GITHUB))
    return (BranchDestruction(app, means.secrets), PullRequestMerging(app, means.secrets))
