"""A provider, declared once by the manifest of its connector: its secrets in Vault and the credentials made of them.

Pure data. Vault's token roles and policies, the settings with addresses, the twins of the embedded environment, and the
docs are derived from it.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from connectors.limits import Rate

_MANIFEST: Final = "manifest"
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_Same = TypeVar("_Same", str, int)


class ManifestError(Exception):
    """Manifests contradict each other. The message lists every contradiction."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What Vault keeps of a provider.

    Attributes:
        path: Below the mount, `<provider>/<name>`; each part `+` after that stands for a name, where there are many.
        holds: What it is, for people.
        destroys: Whether something can be destroyed with it: then no ordinary worker reaches it.
    """

    path: str
    holds: str
    destroys: bool = False

    def at(self, *names: str) -> str:
        """The path of one of them.

        Args:
            names: For each `+`, in order.

        Raises:
            ValueError: They are too many or too few, or one would lead elsewhere.
        """
        if len(names) != self.path.split("/").count("+") or not all(_PART.fullmatch(one) for one in names):
            raise ValueError(f"{names!r} are no names for {self.path!r}")
        remaining = iter(names)
        return "/".join(next(remaining) if one == "+" else one for one in self.path.split("/"))

    def above(self, *names: str) -> str:
        """The path under which those lie that have all names in common but the last.

        Raises:
            ValueError: The same, or they are not grouped by a name.
        """
        if not self.grouped:
            raise ValueError(f"no names are left to those of {self.path!r} below a common one")
        return self.at(*names, "any").rpartition("/")[0]

    @property
    def grouped(self) -> bool:
        """Whether several can lie below a name that they have in common."""
        return self.path.endswith("/+/+")


class Maker(StrEnum):
    """Whose login makes the tokens of an ordinary credential. One that destroys is the destructive worker's."""

    CONNECTORS = "connectors"
    MODELS = "models"


class Logins(StrEnum):
    """What a step may do in Vault's database engine of its provider."""

    OPEN = "open"
    """Connections: with them Vault is an administrator of a database."""
    ISSUE = "issue"
    """Roles, by which logins are made; and the end of what they made."""
    LEND = "lend"
    """One login, and nothing else: not even its credential's secret."""
    OWN = "own"
    """A role of the step's own, and logins of it that end with the step."""
    LOOK = "look"
    """Which roles there are."""


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What one step is given: a token that reads one secret, from a token role of this name.

    Attributes:
        name: `<provider>-<verb>`.
        secret: What it reads.
        purpose: Of the one step that it is for, as in "reads on GitHub".
        seals: Whether the step seals what it read for one run in the sandbox.
        keeps: Secrets that the step makes, or is shown only once, and writes. It can read none of them.
        forgets: Secrets that steps of this provider keep, and that this one deletes with all versions.
        logins: What it may do in Vault's database engine.
        longest: Seconds after which its token ends whatever happens.
        made_by: Which worker makes its tokens, where it destroys nothing.
    """

    name: str
    secret: Secret
    purpose: str
    seals: bool = False
    keeps: tuple[Secret, ...] = ()
    forgets: tuple[Secret, ...] = ()
    logins: Logins | None = None
    longest: int = 900
    made_by: Maker = Maker.CONNECTORS

    @property
    def destroys(self) -> bool:
        """Whether it is for destructive steps, and made by the destructive worker alone."""
        return self.secret.destroys

    @property
    def provider(self) -> str:
        """The name of its provider, with which its own begins."""
        return self.name.partition("-")[0]


@dataclass(frozen=True, kw_only=True)
class Copies:
    """What a rehearsal copies of a provider, by reading; its twin is made of that.

    Attributes:
        what: All that a goal finds again.
        leaves: What is there and is not copied, each in a few words.
        several: Whether its twin can be made of several parts of an account at once.
    """

    what: str
    leaves: tuple[str, ...]
    several: bool = False


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What stands in for a provider in the embedded environment: modules `app` and `seed` of `connectors.<name>.twin`.

    Attributes:
        port: Its usual one.
        always: Whether it runs from the start, in a process of its own. The others share one, in which each begins when
            somebody first connects to it: an environment costs no more for each provider.
        real: What is real behind it: `git repositories`. Empty where all of it is simulated.
        copies: What a rehearsal copies for it; None where it copies nothing, and no goal on it can be rehearsed.
        in_file: Whether a file of the deployment says where it is, and no setting.
    """

    port: int
    always: bool = False
    real: str = ""
    copies: Copies | None = None
    in_file: bool = False


@dataclass(frozen=True, kw_only=True)
class AccountRate:
    """How fast this release asks for something of one account, whoever asks.

    Attributes:
        of: What is counted, for people: `requests`.
        rate: How fast.
    """

    of: str
    rate: Rate


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A system outside.

    Attributes:
        name: Of its connector's package.
        title: As people write it.
        url: Where it is, unless the setting `BANKSMAN_<NAME>_URL` says otherwise; None for one without a client.
        credentials: What its steps are given.
        own: What a process reads by its own login.
        twin: None for one without.
        rates: What it limits an account to, where that is known beforehand.
    """

    name: str
    title: str
    url: str | None = None
    credentials: tuple[Credential, ...] = ()
    own: tuple[Secret, ...] = ()
    twin: Twin | None = None
    rates: tuple[AccountRate, ...] = ()

    @property
    def setting(self) -> str:
        """The field of the settings with its address."""
        return f"{self.name}_url"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that Vault keeps of it, each once."""
        kept = [secret for one in self.credentials for secret in one.keeps]
        return tuple(dict.fromkeys([*(one.secret for one in self.credentials), *kept, *self.own]))


@cache
def providers() -> Mapping[str, Provider]:
    """All of them by name, each from `connectors.<name>.manifest`.

    Raises:
        ManifestError: Something in them cannot be.
    """
    # By their files: to ask Python for a module is to load the packages around it, with all that they import.
    files = sorted(Path(__file__).parent.glob(f"*/{_MANIFEST}.py"))
    found = [importlib.import_module(f"connectors.{one.parent.name}.{_MANIFEST}") for one in files]
    declared = [one for module in found for one in vars(module).values() if isinstance(one, Provider)]
    if problems := contradictions(declared):
        raise ManifestError("the manifests contradict each other:" + "".join(f"\n  - {one}" for one in problems))
    return MappingProxyType({one.name: one for one in sorted(declared, key=lambda one: one.name)})


def twins() -> Mapping[str, Twin]:
    """All twins, by the names of their providers."""
    return {name: one.twin for name, one in providers().items() if one.twin is not None}


def copied() -> Mapping[str, Copies]:
    """What a rehearsal copies, by the names of the providers."""
    return {name: one.copies for name, one in twins().items() if one.copies is not None}


def contradictions(declared: list[Provider]) -> list[str]:
    """What cannot be, each in a line."""
    names = [one.name for one in declared]
    credentials = [one for provider in declared for one in provider.credentials]
    by_name = [one.name for one in credentials]
    by_path: dict[str, set[bool]] = {}
    for secret in [secret for one in credentials for secret in (one.secret, *one.keeps)]:
        by_path.setdefault(secret.path, set()).add(secret.destroys)
    return [
        *(f"two providers are called {name!r}" for name in _twice(names)),
        *(f"two credentials are called {name!r}" for name in _twice(by_name)),
        *(
            f"credential {one.name!r} of {provider.name!r} must be called {provider.name}-<verb>"
            for provider in declared
            for one in provider.credentials
            if not one.name.startswith(f"{provider.name}-")
        ),
        *(
            f"secret {one.path!r} of {provider.name!r} must lie at {provider.name}/<name>"
            for provider in declared
            for one in provider.secrets
            if not one.path.startswith(f"{provider.name}/")
        ),
        *(
            f"credential {one.name!r} keeps {secret.path!r}, which it reads"
            for one in credentials
            for secret in one.keeps
            if secret.path == one.secret.path
        ),
        *(
            f"credential {one.name!r} forgets {secret.path!r}, which no step of {provider.name!r} keeps"
            for provider in declared
            for one in provider.credentials
            for secret in one.forgets
            if not any(secret in other.keeps for other in provider.credentials)
        ),
        *(f"two twins have port {port}" for port in _twice([one.twin.port for one in declared if one.twin])),
        *(
            f"{one.name!r} has a twin, and no url to be told of it by"
            for one in declared
            if one.twin and not one.url and not one.twin.in_file
        ),
        *(f"secret {path!r} is said to destroy and not to" for path, said in by_path.items() if len(said) > 1),
    ]


def _twice(names: list[_Same]) -> list[_Same]:
    return sorted({name for name in names if names.count(name) > 1})
