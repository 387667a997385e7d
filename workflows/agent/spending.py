"""What one run has used of language models, as it tells people. The step that asks holds the limits, and it alone."""

from dataclasses import dataclass
from typing import Final

from activities.models.contracts import ModelFound

_MILLION: Final = 1_000_000


@dataclass
class Spending:
    """What is used so far.

    Attributes:
        requests: How many there were, answered or not.
        micros: Millionths of a US dollar, at most.
    """

    requests: int = 0
    micros: int = 0

    def settle(self, reserve: int | None, billed: int | None) -> None:
        """Count a request.

        Args:
            reserve: What it cost at most; None where nobody knows.
            billed: What was billed; None where nobody knows, and what it cost at most counts.
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
