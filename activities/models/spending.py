"""The step that tells what the jobs of each installation of the GitHub App cost, from the book of the limits."""

from activities.models.budget import ModelBudget
from activities.models.spending_contracts import FIND_SPENDING, FindSpending, SpendingFound, Spent
from activities.step import implements
from hitl.approval.decision import UNVERIFIED


class SpendingActivities:
    """The step, over the book."""

    def __init__(self, budget: ModelBudget) -> None:
        self._budget = budget

    @implements(FIND_SPENDING)
    async def find_spending(self, request: FindSpending) -> SpendingFound:
        """What they cost on the last days.

        Raises:
            Unavailable: The book cannot be read now.
        """
        asked = tuple(dict.fromkeys(request.installations))
        days, sums = await self._budget.spent([*map(str, asked), UNVERIFIED, None], request.days)
        *spent, unverified, none = (Spent(micros=tuple(one)) for one in sums)
        return SpendingFound(
            days=days,
            installations=dict(zip(asked, spent, strict=True)),
            unverified=unverified,
            none=none,
            day_micros=self._budget.installation_day,
        )
