"""What a console shows of money, without a models worker."""

from activities.models.spending_contracts import Spent
from hitl.github.spending import Account, Spending


def a_week() -> Spending:
    """A week of an account with a long name, and of what is nobody's."""
    days = tuple(f"2026-11-{30 - before}" for before in range(7))
    paid = Spent(micros=tuple(1_234_567 * (9 - before) for before in range(7)))
    accounts = (
        Account(number=7, name="a-long-name-" * 3, spent=paid),
        Account(number=None, name="none of an installation", spent=paid, limited=False),
    )
    return Spending(days=days, accounts=accounts, day_micros=20_000_000)
