"""In which order an update goes through repositories that use one another: pure, and without recursion.

Those that use each other in a circle have no order among themselves. They stand in one place together, and it is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Together:
    """Repositories that have one place in the order: one alone, or those of a circle.

    Attributes:
        wave: From 0; those of one wave need not wait for each other.
    """

    wave: int
    names: tuple[str, ...]

    @property
    def circle(self) -> bool:
        """Whether they use one another."""
        return len(self.names) > 1


def reached(start: Iterable[str], then: Mapping[str, Iterable[str]]) -> set[str]:
    """All that can be reached from these, themselves included."""
    found, waiting = set[str](), list(start)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(then.get(one, ()))
    return found


def in_order(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[Together]:
    """Each after all that it needs; those in a circle together.

    Args:
        names: Those to order. What they need beside these does not count.
        needs: By name: which names have to come before it.
    """
    wanted = set(names)
    among = {one: sorted(wanted.intersection(needs.get(one, ())) - {one}) for one in sorted(wanted)}
    waves: dict[str, int] = {}
    found: list[Together] = []
    for members in _circles(among):  # each comes after those that it needs
        before = [waves[other] for one in members for other in among[one] if other not in members]
        wave = max(before, default=-1) + 1
        waves.update(dict.fromkeys(members, wave))
        found.append(Together(wave, tuple(sorted(members))))
    return sorted(found, key=lambda one: (one.wave, one.names))


def circles(needs: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Names that need each other in a circle, and those that need themselves."""
    found = [tuple(sorted(one)) for one in _circles({name: sorted(set(those)) for name, those in needs.items()})]
    return [those for those in found if len(those) > 1 or any(one in needs.get(one, ()) for one in those)]


def _circles(needs: Mapping[str, list[str]]) -> list[list[str]]:
    """Tarjan's strongly connected components, with a stack of our own: the last ones that are needed come first."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: dict[str, None] = {}
    found: list[list[str]] = []
    for root in sorted(needs):
        if root in number:
            continue
        walk = [(root, iter(needs[root]))]
        number[root] = low[root] = len(number)
        open_[root] = None
        while walk:
            one, rest = walk[-1]
            following = next((other for other in rest if other in needs), None)
            if following is None:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[one])
                if low[one] == number[one]:
                    found.append(_taken(open_, one))
            elif following not in number:
                number[following] = low[following] = len(number)
                open_[following] = None
                walk.append((following, iter(needs[following])))
            elif following in open_:
                low[one] = min(low[one], number[following])
    return found


def _taken(open_: dict[str, None], until: str) -> list[str]:
    """The last ones that are open, down to this one."""
    taken: list[str] = []
    while not taken or taken[-1] != until:
        taken.append(open_.popitem()[0])
    return taken
