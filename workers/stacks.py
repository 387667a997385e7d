"""What a deployment says of its Pulumi stacks: one file for the environment that the process serves.

    state: {kind: postgres, host: db.internal, port: 5432, database: pulumi, tls: require}
    packages: [banksman]
    environment: {PGHOST: "{state.host}", PGPORT: "{state.port}", PGUSER: "{state-role}", PGSSLMODE: disable}
    passwords: [{relay: state, database: "*", secret: state-password}]
    libraries: package-registries

Secrets are not in it: Vault has them under `pulumi/look` and `pulumi/change`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.pulumi import prices, stateful
from connectors.pulumi.files import FileProblem, read_file
from connectors.pulumi.noise import Noise, load_noise
from connectors.pulumi.prices import Prices, load_prices
from connectors.pulumi.stack_plan import Knowledge
from connectors.pulumi.stateful import StatefulTypes, load_stateful
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.pulumi.request import CloudState, Engine, Package, Password, PostgresState, State
from sandbox.spec import Argument, Host, Purpose

PURPOSE: Final = "pulumi-stack"
"""Whose relays and proxy lead the engine, and nobody else, to the state and the clouds."""
_STATE: Final = "state"
_ROLE: Final = "state-role"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PostgresPlace(_Frozen):
    """State in a database of the environment's own.

    Attributes:
        host: As the relay's container sees it.
        database: Its name.
        tls: Whether the connection is encrypted.
    """

    kind: Literal["postgres"]
    host: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}$")
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")
    tls: Literal["disable", "require"] = "require"


class DatabasePassword(_Frozen):
    """A database that providers reach as the role that Vault's secret names.

    Attributes:
        relay: `state`, or one of `relays`.
        database: Its name, or `*`.
        secret: The field of Vault's secret that holds the password.
    """

    relay: Purpose = _STATE
    database: str = Field(default="*", pattern=r"^(\*|[A-Za-z0-9_.-]{1,63})$")
    secret: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]


class StackEnvironment(_Frozen):
    """The file.

    Attributes:
        state: Where states are.
        packages: Providers of the image that programs may use.
        environment: For Pulumi and its providers. `{RELAY.host}` and `{RELAY.port}` stand for where a relay is,
            `{state-role}` for the database role in Vault's secret.
        passwords: Of databases that providers reach.
        relays: Further fixed addresses, by name.
        hosts: Reached through the allow-list proxy, exactly these.
        stacks: Other stacks whose outputs programs may read, as `ORGANIZATION/PROJECT/STACK`.
        preview_minutes: How long a preview may take; then it is stopped, and the goal says why.
        libraries: The purpose by which a program's Python packages are fetched; null: none may be.
        noise: File of known drift; without it, none is known.
        prices: File of prices, in place of the one that is shipped.
        stateful: File of types that hold something, in place of the one that is shipped.
    """

    state: Annotated[PostgresPlace | CloudState, Field(discriminator="kind")]
    packages: tuple[Package, ...] = ()
    environment: dict[str, Argument] = Field(default_factory=dict[str, str])
    passwords: tuple[DatabasePassword, ...] = ()
    relays: dict[Purpose, RelayTarget] = Field(default_factory=dict[str, RelayTarget])
    hosts: tuple[Host, ...] = ()
    stacks: tuple[str, ...] = ()
    preview_minutes: int = Field(default=15, ge=1, le=60)
    libraries: Purpose | None = None
    noise: Path | None = None
    prices: Path | None = None
    stateful: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        relays = set(self._relays)
        if _STATE in self.relays:
            raise ValueError(f"the relay {_STATE!r} is where the state is: give the other one another name")
        if self.libraries == PURPOSE:
            raise ValueError(f"the purpose {PURPOSE!r} leads to the state: packages are fetched by another one")
        for one in self.passwords:
            if one.relay not in relays:
                raise ValueError(f"a password names the relay {one.relay!r}, which is not there: add it to 'relays'")
        known = {_ROLE} | {f"{name}.{part}" for name in relays for part in ("host", "port")}
        for name, value in self.environment.items():
            if unknown := [one for one in _PLACEHOLDER.findall(value) if one not in known]:
                raise ValueError(f"{unknown[0]!r} in {name!r} is none of {', '.join(sorted(known))}")
        Engine.model_validate({**self._engine("role"), "image": f"sha256:{'0' * 64}"})
        return self

    @property
    def _relays(self) -> Mapping[str, RelayTarget]:
        if isinstance(self.state, CloudState):
            return self.relays
        return {_STATE: RelayTarget(host=self.state.host, port=self.state.port), **self.relays}

    def opened(self, egress: EgressSettings) -> EgressSettings:
        """The networks of a worker, with the one for stacks.

        Raises:
            ValueError: The worker has a purpose of that name.
        """
        if PURPOSE in egress.names:
            raise ValueError(f"the purpose {PURPOSE!r} is for stacks: give the other one another name")
        hosts = self.hosts
        if isinstance(self.state, CloudState):
            hosts = tuple(dict.fromkeys((self.state.url.removeprefix("https://"), *hosts)))
        return EgressSettings.model_validate(
            {
                **{name: getattr(egress, name) for name in EgressSettings.model_fields},
                "purposes": {**egress.purposes, PURPOSE: hosts},
                "relays": {**egress.relays, PURPOSE: self._relays},
                "kept_for": {**egress.kept_for, PURPOSE: "stack"},
            }
        )

    def state_of(self, role: str) -> State:
        """Where states are, for this database role."""
        if isinstance(self.state, CloudState):
            return self.state
        return PostgresState(database=self.state.database, role=role, tls=self.state.tls)

    def engine_of(self, image: str, role: str) -> Engine:
        """Where Pulumi runs, for this database role."""
        return Engine.model_validate({**self._engine(role), "image": image})

    def _engine(self, role: str) -> Mapping[str, object]:
        passwords = [
            Password(relay=one.relay, database=one.database, role=role, secret=one.secret) for one in self.passwords
        ]
        return {
            "purpose": PURPOSE,
            "packages": self.packages,
            "stacks": self.stacks,
            "environment": {name: value.replace(f"{{{_ROLE}}}", role) for name, value in self.environment.items()},
            "passwords": passwords,
            "preview_seconds": 60 * self.preview_minutes,
        }


@dataclass(frozen=True)
class Stacks:
    """The file with what it names, read once when the process starts: the port `StackPlatform` of the steps.

    Attributes:
        environment: Of the policy.
        said: The file.
    """

    environment: str
    said: StackEnvironment
    prices: Prices
    stateful: StatefulTypes
    noise: Noise
    played: bool = False

    @classmethod
    def load(cls, path: Path, *, environment: str, played: bool = False) -> Self:
        """Read them all.

        Args:
            path: Of the file.
            environment: Of the policy.
            played: Whether providers do nothing, as in a rehearsal.

        Raises:
            FileProblem: One cannot be read, or is not valid. The message has a line for each problem.
        """
        said = read_file(path, StackEnvironment)
        beside = path.parent
        return cls(
            environment=environment,
            said=said,
            prices=load_prices(beside / said.prices if said.prices else prices.SHIPPED),
            stateful=load_stateful(beside / said.stateful if said.stateful else stateful.SHIPPED),
            noise=load_noise(beside / said.noise) if said.noise else Noise(),
            played=played,
        )

    @property
    def libraries(self) -> str | None:
        """The purpose by which a program's packages are fetched."""
        return self.said.libraries

    def state(self, role: str) -> State:
        """Where states are."""
        return self.said.state_of(role)

    def engine(self, image: str, role: str) -> Engine:
        """Where Pulumi runs."""
        return self.said.engine_of(image, role).model_copy(update={"played": self.played})

    def knowledge(self) -> Knowledge:
        """As of today."""
        return Knowledge(stateful=self.stateful, prices=self.prices, noise=self.noise, today=datetime.now(UTC).date())


__all__ = ["PURPOSE", "FileProblem", "StackEnvironment", "Stacks"]
