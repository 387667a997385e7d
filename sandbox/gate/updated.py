"""What a lock file that a tool wrote anew must pass, and what it changes. Pure: the same two files, the same answer.

The tool ran in a container on a stranger's repository and spoke with registries. So nothing is believed of what it
says: both files are read here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from hitl.hidden import visible
from sandbox.gate.judged import MOST_TOLD, Refusal
from sandbox.gate.locks import Lock, Locked

UPDATE_RULES: Final[Mapping[str, str]] = {
    "lock": "Only the lock file changes, and it can be read",
    "registries": "Every address is one of the configured registries",
    "digests": "Every file has a digest, and no version that stays has another one",
    "direct": "Nothing is asked for that was not before",
    "audit": "No version that came is known to be vulnerable",
}
"""The rules by their names, for people."""
_STRONG: Final = re.compile(r"(sha256:[0-9a-f]{64}|sha512-[A-Za-z0-9+/]{86}==|h1:[A-Za-z0-9+/]{43}=)( .*)?")
_EXCHANGED: Final = "the same version has another content than before: ask whoever publishes it, and change nothing"
_SHOWN: Final = 100
_SHORTEST: Final = 4
"""Shorter names have too many neighbours for a warning that means something."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """What became of one package.

    Attributes:
        before: Its versions; none where it is new.
        after: Its versions; none where it is gone.
        like: A name that was there before and that this new one could be taken for.
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    like: str = ""


def judge_update(before: Lock, after: Lock, *, hosts: Sequence[str]) -> tuple[Refusal, ...]:
    """Every reason why the new lock file is not taken.

    Args:
        before: As it was.
        after: As it is to be.
        hosts: Of the deployment's registries, and of their files.
    """
    found = [*_elsewhere(after, hosts), *_digests(before, after)]
    others = [what for what, digest in after.sums.items() if before.sums.get(what, digest) != digest]
    found += [Refusal(rule="digests", at=visible(what[:_SHOWN]), says=_EXCHANGED) for what in others]
    if before.hashed and not after.hashed and after.packages:
        found.append(Refusal(rule="digests", at="", says="it had digests of what it names, and has none any more"))
    if before.direct != after.direct:
        says = "what the repository itself asks for differs from before: bring manifest and lock file together first"
        found.append(Refusal(rule="direct", at="", says=says))
    return tuple(found[:MOST_TOLD])


def moves(before: Lock, after: Lock) -> tuple[Move, ...]:
    """What changes, by name; the new ones first, for they are what people look at."""
    old, new = before.versions(), after.versions()
    found = [
        Move(
            name=name,
            before=old.get(name, ()),
            after=new.get(name, ()),
            like="" if name in old else _like(name, old),
        )
        for name in {*old, *new}
        if old.get(name) != new.get(name)
    ]
    return tuple(sorted(found, key=lambda one: (bool(one.before), not one.after, one.name)))


def _elsewhere(lock: Lock, hosts: Sequence[str]) -> Iterator[Refusal]:
    for one in lock.packages:
        for origin in one.origin:
            if not any(origin.startswith(f"https://{host}/") for host in hosts):
                says = "it comes from elsewhere than the registries that are configured here"
                yield Refusal(rule="registries", at=_at(one), says=f"{says}: {visible(origin[:_SHOWN])!r}")
                break


def _digests(before: Lock, after: Lock) -> Iterator[Refusal]:
    known: dict[tuple[str, str, str], str] = {
        (one.name, one.version, address.rpartition("/")[2]): digest
        for one in before.packages
        for address, digest in one.digests.items()
    }
    for one in after.packages:
        if not one.own and not one.version:
            yield Refusal(rule="digests", at=_at(one), says="it has no version, so that nobody knows what it is")
        for address, digest in one.digests.items():
            was = known.get((one.name, one.version, address.rpartition("/")[2]))
            if not _STRONG.fullmatch(digest):
                yield Refusal(rule="digests", at=_at(one), says="a file of it has no digest by SHA-256 or SHA-512")
                break
            if was and was != digest:
                yield Refusal(rule="digests", at=_at(one), says=_EXCHANGED)
                break


def _at(one: Locked) -> str:
    return visible(f"{one.name} {one.version}"[:_SHOWN])


def _like(name: str, known: Mapping[str, object]) -> str:
    """A known name that one letter, or only signs and digits, tell from this one."""
    plain = _plain(name)
    for other in sorted(known):
        if len(other) >= _SHORTEST and (_plain(other) == plain or _one_apart(name, other)):
            return other
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower().replace("0", "o").replace("1", "l"))


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter more, less, other, or two that changed places make them the same."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    if len(short) < len(long):
        return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
    odd = [at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    return len(odd) == 1 or any(
        odd == [first, second] and second == first + 1 and (one[first], one[second]) == (other[second], other[first])
        for first, second in combinations(odd, 2)
    )
