"""A provider, declared once by the manifest of its connector: its secrets in Vault and the credentials made of them.

Pure data. Vault's token roles and policies, and the docs, are derived from it.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

_MANIFEST: Final = "manifest"


class ManifestError(Exception):
    """Manifests contradict each other. The message lists every contradiction."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What Vault keeps of a provider.

    Attributes:
        path: Below the mount, `<provider>/<name>`.
        holds: What it is, for people.
        destroys: Whether something can be destroyed with it: then no ordinary worker reaches it.
    """

    path: str
    holds: str
    destroys: bool = False


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What one step is given: a token that reads one secret, from a token role of this name.

    Attributes:
        name: `<provider>-<verb>`.
        secret: What it reads.
        purpose: Of the one step that it is for, as in "reads on GitHub".
        seals: Whether the step seals what it read for one run in the sandbox.
        longest: Seconds after which its token ends whatever happens.
    """

    name: str
    secret: Secret
    purpose: str
    seals: bool = False
    longest: int = 900

    @property
    def destroys(self) -> bool:
        """Whether it is for destructive steps, and made by the destructive worker alone."""
        return self.secret.destroys


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A system outside.

    Attributes:
        name: Of its connector's package.
        title: As people write it.
        credentials: What its steps are given.
    """

    name: str
    title: str
    credentials: tuple[Credential, ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What its credentials read, each once."""
        return tuple(dict.fromkeys(one.secret for one in self.credentials))


@cache
def providers() -> Mapping[str, Provider]:
    """All of them by name, each from `connectors.<name>.manifest`.

    Raises:
        ManifestError: Something in them cannot be.
    """
    package = importlib.import_module("connectors")
    found = [
        importlib.import_module(f"{one.name}.{_MANIFEST}")
        for one in pkgutil.iter_modules(package.__path__, "connectors.")
        if one.ispkg and importlib.util.find_spec(f"{one.name}.{_MANIFEST}") is not None
    ]
    declared = [one for module in found for one in vars(module).values() if isinstance(one, Provider)]
    if problems := contradictions(declared):
        raise ManifestError("the manifests contradict each other:" + "".join(f"\n  - {one}" for one in problems))
    return MappingProxyType({one.name: one for one in sorted(declared, key=lambda one: one.name)})


def contradictions(declared: list[Provider]) -> list[str]:
    """What cannot be, each in a line."""
    names = [one.name for one in declared]
    credentials = [one for provider in declared for one in provider.credentials]
    by_name = [one.name for one in credentials]
    by_path: dict[str, set[bool]] = {}
    for one in credentials:
        by_path.setdefault(one.secret.path, set()).add(one.secret.destroys)
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
        *(f"secret {path!r} is said to destroy and not to" for path, said in by_path.items() if len(said) > 1),
    ]


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
