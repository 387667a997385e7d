"""The manifests of many repositories, joined: who uses what, who makes it, and who an update comes to. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict

from activities.dependencies.contracts import Counts, UpdateStep, User
from activities.dependencies.found import Ecosystem, same_name
from activities.dependencies.ordering import circles, in_order, reached
from activities.dependencies.read import RepositoryManifests

MOST_USES: Final = 300_000
"""Of all repositories together."""
_MOST_THROUGH: Final = 10
Key = tuple[Ecosystem, str]


class MappedPackage(BaseModel):
    """A package, who makes it and who uses it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ecosystem: Ecosystem
    name: str
    made_by: tuple[str, ...]
    used_by: tuple[User, ...]


class WholeMap(BaseModel):
    """What the artifact of a map holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repositories: dict[str, str]
    """The commit at which each was read."""
    packages: tuple[MappedPackage, ...]
    needs: dict[str, tuple[str, ...]]
    """By repository: the others that make what it uses."""
    circles: tuple[tuple[str, ...], ...]
    mistakes: tuple[str, ...]
    users: tuple[User, ...]
    order: tuple[UpdateStep, ...]


@dataclass
class _Use:
    locked: set[str] = field(default_factory=set[str])
    written: set[str] = field(default_factory=set[str])
    paths: set[str] = field(default_factory=set[str])
    direct: bool = False
    pinned: bool = False


class Joined:
    """Takes one repository after the other, and tells what they are together."""

    def __init__(self) -> None:
        self._commits: dict[str, str] = {}
        self._uses: dict[Key, dict[str, _Use]] = defaultdict(dict)
        self._makers: dict[Key, set[str]] = defaultdict(set)
        self._mistakes: list[str] = []
        self._count = self._left_out = 0

    def add(self, found: RepositoryManifests) -> None:
        """Take one."""
        self._commits[found.repository] = found.commit
        self._mistakes += [f"{found.repository}: {one.path or 'the repository'}: {one.what}" for one in found.mistakes]
        for one in found.made:
            self._makers[one.ecosystem, one.name].add(found.repository)
        for one in found.used:
            if self._count >= MOST_USES:
                self._left_out += 1
                continue
            self._count += 1
            use = self._uses[one.ecosystem, one.name].setdefault(found.repository, _Use())
            (use.written if one.direct else use.locked).add(one.version or one.wanted)
            use.paths.add(one.path)
            use.direct, use.pinned = use.direct or one.direct, use.pinned or one.pinned

    def whole(self, package: str | None, ecosystem: Ecosystem | None) -> tuple[WholeMap, Counts, tuple[str, ...]]:
        """The map with its answer, how much there is, and who makes the package."""
        needs = self._needs()
        keys = self._meant(package, ecosystem) if package is not None else []
        makers = sorted({one for key in keys for one in self._makers.get(key, ())})
        users = sorted((one for key in keys for one in self._users(key)), key=lambda one: (one.repository, one.name))
        every = sorted({*self._uses, *self._makers})
        told = WholeMap(
            repositories=self._commits,
            packages=tuple(self._mapped(key) for key in every),
            needs={name: tuple(sorted(those)) for name, those in sorted(needs.items())},
            circles=tuple(circles(needs)),
            mistakes=tuple(self._mistakes),
            users=tuple(users),
            order=tuple(self._order(keys, {*makers, *(one.repository for one in users)}, needs)),
        )
        counts = Counts(
            repositories=len(self._commits),
            packages=len(self._uses),
            uses=sum(map(len, self._uses.values())),
            made=len(self._makers),
            internal=sum(map(len, needs.values())),
            mistakes=len(self._mistakes),
            left_out=self._left_out,
        )
        return told, counts, tuple(makers)

    def _meant(self, package: str, ecosystem: Ecosystem | None) -> list[Key]:
        """The packages of that name: of one ecosystem, or of every one that has it."""
        kinds: tuple[Ecosystem, ...] = ("python", "npm", "go", "image", "action")
        asked: list[Key] = [(one, same_name(one, package)) for one in kinds if ecosystem in {None, one}]
        return [key for key in asked if key in self._uses or key in self._makers]

    def _users(self, key: Key) -> Iterable[User]:
        for repository, use in sorted(self._uses.get(key, {}).items()):
            yield User(
                repository=repository,
                ecosystem=key[0],
                name=key[1],
                versions=tuple(sorted(use.locked or use.written))[:_MOST_THROUGH],
                pinned=use.pinned,
                direct=use.direct,
                paths=tuple(sorted(use.paths))[:_MOST_THROUGH],
            )

    def _mapped(self, key: Key) -> MappedPackage:
        made_by = tuple(sorted(self._makers.get(key, ())))
        return MappedPackage(ecosystem=key[0], name=key[1], made_by=made_by, used_by=tuple(self._users(key)))

    def _makers_of(self, key: Key) -> set[str]:
        """Who makes it; of an action or a workflow the repository that it lies in."""
        if key[0] != "action":
            return self._makers.get(key, set())
        place = "/".join(key[1].split("/")[:2])
        return {one for one in self._commits if one.lower() == place}

    def _needs(self) -> dict[str, set[str]]:
        needs: dict[str, set[str]] = {name: set() for name in self._commits}
        for key, uses in self._uses.items():
            if makers := self._makers_of(key):
                for name in uses:
                    needs[name] |= makers - {name}
        return needs

    def _order(self, keys: list[Key], start: set[str], needs: Mapping[str, set[str]]) -> Iterable[UpdateStep]:
        """From those that make and use it to those that use what these make, and so on."""
        dependents: dict[str, set[str]] = defaultdict(set)
        for name, those in needs.items():
            for one in those:
                dependents[one].add(name)
        touched = reached(start, dependents)
        through = self._through(keys, touched)
        for one in in_order(touched, needs):
            by = sorted({word for name in one.names for word in through.get(name, ())})
            yield UpdateStep(
                wave=one.wave, repositories=one.names, circle=one.circle, through=tuple(by[:_MOST_THROUGH])
            )

    def _through(self, keys: list[Key], touched: set[str]) -> dict[str, set[str]]:
        """By repository: the packages by which the update comes to it."""
        found: dict[str, set[str]] = defaultdict(set)
        for key, uses in self._uses.items():
            if key in keys or touched & self._makers_of(key):
                for name in touched & uses.keys():
                    if key in keys or self._makers_of(key) - {name}:
                        found[name].add(key[1])
        return found
