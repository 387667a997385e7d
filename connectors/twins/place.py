"""How a twin is prepared for an environment, and what is kept of it from one start to the next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from connectors.copies import State, read_copies, read_copy


@dataclass(frozen=True, kw_only=True)
class TwinPlace:
    """Where a twin lives.

    Attributes:
        root: The environment's folder.
        listen: host:port.
        repositories: Local git repositories, by the name that they get behind a twin.
        copied: What was copied of real providers, a folder for each, in place of examples; None where there is nothing.
        containers: This machine's address for containers; None where there is no engine.
        keep: Writes a file that only its owner reads, by its name among those of twins, and gives its path.
        webhook: Where what happens there is told by signed requests; None where nobody listens.
        proposed: Branches of theirs that a pull request is open for, by the repository's name.
    """

    root: Path
    listen: str
    repositories: Mapping[str, Path]
    keep: Callable[[str, bytes], Path]
    webhook: str | None = None
    proposed: Mapping[str, str] = field(default_factory=dict[str, str])
    copied: Path | None = None
    containers: IPv4Address | None = None

    def copy(self, model: type[State]) -> State | None:
        """What was copied of a provider; None where nothing of it was.

        Raises:
            CopyUnusable: What lies there is no such copy.
        """
        return None if self.copied is None else read_copy(self.copied, model)

    def copies(self, model: type[State]) -> tuple[State, ...]:
        """What was copied of a provider of which several parts can be.

        Raises:
            CopyUnusable: What lies there is no such copy.
        """
        return () if self.copied is None else read_copies(self.copied, model)

    def kept(self, name: str) -> Path:
        """A file of that name, as an earlier start wrote it; it may not be there."""
        return self.root / "twins" / name


@dataclass(frozen=True, kw_only=True)
class PreparedTwin:
    """A twin that can be started.

    Attributes:
        configuration: The file that it is started with.
        secrets: What Vault must hold for those who call it, by path below the mount.
    """

    configuration: Path
    secrets: Mapping[str, Mapping[str, SecretStr]]


class Seed(Protocol):
    """The module `seed` of a twin."""

    async def prepare(self, place: TwinPlace) -> PreparedTwin:
        """Make what the twin starts with. What there is already stays.

        Raises:
            ValueError: Something that was asked for cannot be: the message says why.
        """
        ...
