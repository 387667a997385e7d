"""What a goal may launch now, by preference and by price. Pure."""

from dataclasses import dataclass

from activities.lambdalabs.contracts import MOST_CHOICES, Choice, TypesSeen
from workflows.lambdalabs.goals import LeaseGpuInput


class TooExpensive(Exception):
    """Nothing of what is wanted costs as little as it may. The message says what it costs."""


@dataclass(frozen=True, kw_only=True)
class Market:
    """What can be launched for as much as it may cost.

    Attributes:
        choices: By preference; also what there is no capacity for now.
        available: Those that Lambda says there is capacity for. A hint, and no reservation.
        cents_per_hour: What the dearest of them costs.
    """

    choices: tuple[Choice, ...]
    available: tuple[Choice, ...]
    cents_per_hour: int


def market(wanted: LeaseGpuInput, seen: TypesSeen) -> Market:
    """Sizes before regions: a better size elsewhere goes before a worse one near.

    Raises:
        TooExpensive: All of them cost more.
    """
    by_name = {one.name: one for one in seen.types}
    sizes = [by_name[name] for name in dict.fromkeys(wanted.types) if name in by_name]
    affordable = [one for one in sizes if one.cents_per_hour * wanted.hours <= 100 * wanted.most_usd]
    if not affordable:
        told = ", ".join(f"{one.name} {one.cents_per_hour * wanted.hours / 100:.2f}" for one in sizes)
        raise TooExpensive(
            f"{wanted.hours} hours would cost ({told}) US dollars, and may cost {wanted.most_usd}: nothing was "
            "launched. Take a smaller size or fewer hours, or let it cost more by `most_usd`"
        )
    choices = [
        Choice(type=one.name, region=region) for one in affordable for region in wanted.regions or sorted(one.regions)
    ]
    there = {(one.name, region) for one in affordable for region in one.regions}
    return Market(
        choices=tuple(choices[:MOST_CHOICES]),
        available=tuple(one for one in choices[:MOST_CHOICES] if (one.type, one.region) in there),
        cents_per_hour=max(one.cents_per_hour for one in affordable),
    )
