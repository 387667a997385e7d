"""What one run may use of language models: reserved before each request, settled after it, from what was answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activities.models.contracts import ModelFound, UseLimits

_MILLION: Final = 1_000_000


@dataclass
class Spending:
    """What is used so far.

    Attributes:
        limits: Of the deployment's file.
        since: When the run began to ask.
        requests: How many there were, answered or not.
        micros: Millionths of a US dollar, at most.
    """

    limits: UseLimits
    since: datetime
    requests: int = 0
    micros: int = 0

    def refusal(self, reserve: int | None, now: datetime) -> str | None:
        """Why nothing more is asked, or None where something may be.

        Args:
            reserve: What the next request costs at most; None where nobody knows, which the models' worker looks at.
            now: The time.
        """
        limits = self.limits
        if limits.goal_requests is not None and self.requests >= limits.goal_requests:
            return f"{self.requests} requests are all that this deployment lets one run of a goal make"
        if limits.goal_minutes is not None and now - self.since >= timedelta(minutes=limits.goal_minutes):
            return f"{limits.goal_minutes} minutes are all that this deployment lets one run of a goal ask for"
        if limits.goal_micros is not None and self.micros + (reserve or 0) > limits.goal_micros:
            usd = limits.goal_micros / _MILLION
            return f"the next request could go beyond the ${usd:g} that this deployment lets one run of a goal cost"
        return None

    def settle(self, reserve: int | None, billed: int | None) -> None:
        """Count a request.

        Args:
            reserve: What it cost at most.
            billed: What was billed; None where nobody knows, and what was reserved counts.
        """
        self.requests += 1
        self.micros += (reserve or 0) if billed is None else billed


def reserve_of(model: ModelFound, *, sent: int, answered: int) -> int | None:
    """What one request costs at most, in millionths of a US dollar; None where nobody knows the price.

    Args:
        model: Who is asked.
        sent: Bytes that it is told; no token is shorter than one.
        answered: Tokens that it may answer with.
    """
    if model.input_micros is None or model.output_micros is None:
        return None
    return -(-(sent * model.input_micros + answered * model.output_micros) // _MILLION)
