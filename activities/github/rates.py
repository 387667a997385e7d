"""The step that asks what GitHub lets each installation ask for, with tokens that see names and no more."""

from activities.github.rates_contracts import FIND_RATES, MOST_INSTALLATIONS, FindRatesRequest, FoundRate, RatesFound
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.github.client import GitHubApp
from connectors.github.manifest import READ
from connectors.github.models import AppCredentials
from connectors.github.rates import installation_rates


class RateActivities:
    """The step, with the ports it needs."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(FIND_RATES)
    async def find_rates(self, request: FindRatesRequest) -> RatesFound:
        """What is left of each installation's requests, and what this worker waits for.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        del request
        async with secret_for_step(self._vault, READ) as app:
            found = await installation_rates(self._github, AppCredentials.of(app), most=MOST_INSTALLATIONS)
        return RatesFound(installations=tuple(FoundRate.model_validate(one.model_dump()) for one in found))
