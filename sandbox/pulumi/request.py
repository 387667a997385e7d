"""What a run of Pulumi asks for: frozen, and without secrets, which are handed over beside it."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.pulumi.policies import MOST, PolicyPack
from sandbox.pulumi.project import Project, StackName, StackSettings
from sandbox.spec import MIB, Argument, ImageDigest, Limits, Purpose, Reference

PASSPHRASE: Final = "passphrase"  # noqa: S105 - a name
"""The secret's name: encrypts the stack's secrets."""
STATE_PASSWORD: Final = "state-password"  # noqa: S105 - a name
"""The secret's name: of the role that owns the state in PostgreSQL."""
ACCESS_TOKEN: Final = "environment/PULUMI_ACCESS_TOKEN"  # noqa: S105 - a name
"""The secret's name: for Pulumi Cloud."""
HOST_PREFIX: Final = "pulumi-"
"""Before the run's id, this is what the engine's container calls itself, and so whom a lock of the stack names."""

ENGINE_LIMITS: Final = Limits(
    memory_bytes=1536 * MIB, cpus=2, pids=512, workspace_bytes=256 * MIB, tmp_bytes=64 * MIB, wall_seconds=3600,
    output_bytes=16 * MIB, artifact_bytes=192 * MIB, artifact_files=20,
)  # fmt: skip
PROGRAM_LIMITS: Final = Limits(
    memory_bytes=1536 * MIB, cpus=2, pids=256, workspace_bytes=768 * MIB, tmp_bytes=128 * MIB, wall_seconds=3600,
    output_bytes=4096, artifact_files=0, artifact_bytes=0,
)  # fmt: skip

PulumiRunId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]
Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
UpdateVersion = Annotated[int, Field(ge=0)]
Package = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]
_WORD: Final = r"^[A-Za-z0-9_.-]{1,63}$"
_PEM: Final = r"^(\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)*$"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PostgresState(_Frozen):
    """State in a database of the environment's own, reached by a relay of the engine's purpose.

    Attributes:
        relay: The relay's name in the purpose.
        database: Its name.
        role: Who owns the state there; its password is the secret `STATE_PASSWORD`.
        tls: Whether the connection to the server is encrypted.
    """

    kind: Literal["postgres"] = "postgres"
    relay: Purpose = "state"
    database: str = Field(pattern=_WORD)
    role: str = Field(pattern=_WORD)
    tls: Literal["disable", "require"] = "disable"


class CloudState(_Frozen):
    """State in Pulumi Cloud, reached by the proxy of the engine's purpose; its token is the secret `ACCESS_TOKEN`.

    Attributes:
        url: Of its API.
        organization: Whose stack it is.
        authority: Certificates in PEM that prove the API's, beside the public ones; empty: these alone.
    """

    kind: Literal["pulumi-cloud"] = "pulumi-cloud"
    url: str = Field(default="https://api.pulumi.com", pattern=r"^https://[a-z0-9.-]{1,253}$")
    organization: str = Field(pattern=_WORD)
    authority: str = Field(default="", max_length=64 * 1024, pattern=_PEM)


State = Annotated[PostgresState | CloudState, Field(discriminator="kind")]


class Password(_Frozen):
    """One more database that providers know a password for, by libpq's password file.

    Attributes:
        relay: The relay's name in the engine's purpose.
        database: Its name, or `*`.
        role: Who the provider is there.
        secret: The name of the secret that holds the password.
    """

    relay: Purpose
    database: str = Field(default="*", pattern=r"^(\*|[A-Za-z0-9_.-]{1,63})$")
    role: str = Field(pattern=_WORD)
    secret: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]


class Engine(_Frozen):
    """Where Pulumi itself runs: the deployment's to say, never the repository's.

    Attributes:
        image: The image with Pulumi, by digest.
        purpose: Whose proxy and relays lead to the state and the cloud.
        packages: Providers of the image that programs may use.
        stacks: Other stacks whose outputs the program may read, as `ORGANIZATION/PROJECT/STACK`.
        environment: For the CLI and its providers; nothing secret. `{NAME.host}` and `{NAME.port}` stand for where
            the relay NAME is. Secrets whose names begin with `environment/` are added.
        passwords: Of databases that providers reach.
        limits: Of its container. At the end of `wall_seconds` Pulumi is asked to stop.
        preview_seconds: The same for a preview, where that is less: a program that never ends is told of soon.
        program_limits: Of the program's container.
        stop_seconds: Between asking Pulumi to stop and asking again; ten seconds later it is killed.
        played: Whether providers are asked and do nothing: in a rehearsal.
    """

    image: ImageDigest
    purpose: Purpose
    packages: tuple[Package, ...] = ()
    stacks: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]{1,300}$")], ...] = ()
    environment: Mapping[Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]{0,80}$")], Argument] = Field(
        default_factory=dict[str, str]
    )
    passwords: tuple[Password, ...] = ()
    limits: Limits = ENGINE_LIMITS
    program_limits: Limits = PROGRAM_LIMITS
    preview_seconds: float = Field(default=15 * 60, ge=1, le=86400)
    stop_seconds: float = Field(default=30, ge=0.5, le=300)
    played: bool = False

    @model_validator(mode="after")
    def _not_ours(self) -> Self:
        for name in self.environment:
            if name.startswith(("PULUMI_", "BANKSMAN_RELAY_")) or name in {"PATH", "HOME", "PGPASSFILE", "PGPASSWORD"}:
                raise ValueError(f"{name!r} is set by the run itself: take it out of the environment")
        return self


class Program(_Frozen):
    """The user's code, as it was when it was approved.

    Attributes:
        archive: A tar of the project's folder.
        libraries: A tar of the Python packages that it needs beside Pulumi's own, unpacked; None: none.
        policies: The policy packs in the archive, which look at the preview and at the up.
    """

    archive: Reference
    libraries: Reference | None = None
    policies: tuple[PolicyPack, ...] = Field(default=(), max_length=MOST)


class StackRequest(_Frozen):
    """What every operation needs.

    Attributes:
        run_id: Names the run; the stack's lock carries it too.
        project: What was read of `Pulumi.yaml`.
        stack: The stack's name.
        settings: What was read of its file.
        state: Where its state is.
        engine: Where Pulumi runs.
        message: One line that the stack's history keeps of what changes it; empty: none.
    """

    run_id: PulumiRunId
    project: Project
    stack: StackName
    settings: StackSettings = StackSettings()
    state: State
    engine: Engine
    message: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""

    @property
    def full_name(self) -> str:
        """The stack's whole name, as the backend knows it."""
        organization = self.state.organization if isinstance(self.state, CloudState) else "organization"
        return f"{organization}/{self.project.name}/{self.stack}"

    @property
    def allowed_seconds(self) -> float:
        """How long the run may take; then Pulumi is asked to stop."""
        return self.engine.limits.wall_seconds


class PreviewRequest(StackRequest):
    """Plan what the program wants.

    Attributes:
        program: The code.
        create: Make the stack when it is not there; it stays empty.
        refresh: Look at what is really there first; the state is not changed by that.
    """

    program: Program
    create: bool = True
    refresh: bool = False

    @property
    def allowed_seconds(self) -> float:
        """Less than a change may take: nothing is lost by stopping."""
        return min(self.engine.preview_seconds, super().allowed_seconds)


class UpRequest(StackRequest):
    """Apply a plan.

    Attributes:
        program: The same code as in the preview.
        plan: What the preview saved.
        identity: Of the state that the plan was made from; another state changes nothing.
        update_version: Of the last update then, on Pulumi Cloud; another one since changes nothing. None: not compared.
        check_drift: Look first whether what is there is what the state says; otherwise nothing is changed.
    """

    program: Program
    plan: Reference
    identity: Identity
    update_version: UpdateVersion | None = None
    check_drift: bool = True


class RefreshRequest(StackRequest):
    """Compare the state with what is really there.

    Attributes:
        preview_only: Tell only; otherwise the state is brought up to date.
        identity: Of the state that must be there, when it matters.
        update_version: Of the last update, on Pulumi Cloud, when it matters.
    """

    preview_only: bool = True
    identity: Identity | None = None
    update_version: UpdateVersion | None = None


class DestroyRequest(StackRequest):
    """Delete everything that the stack holds.

    Attributes:
        preview_only: Tell only.
        identity: Of the state that was looked at; another state changes nothing. Needed unless it tells only.
        update_version: Of the last update then, on Pulumi Cloud; another one since changes nothing. None: not compared.
        remove: Remove the empty stack and its history as well.
    """

    preview_only: bool = False
    identity: Identity | None = None
    update_version: UpdateVersion | None = None
    remove: bool = False

    @model_validator(mode="after")
    def _looked_at(self) -> Self:
        if self.identity is None and not self.preview_only:
            raise ValueError("a stack is destroyed only as it was looked at: give the identity of its state")
        return self


class ReadRequest(StackRequest):
    """Read the history, the outputs or the state."""


class ImportRequest(StackRequest):
    """Put an exported state in the place of what is there.

    Attributes:
        exported: What an export kept.
        identity: Of the state that it replaces.
    """

    exported: Reference
    identity: Identity


class MakeRequest(StackRequest):
    """Make a stack that is not there, with a state that was exported elsewhere.

    Attributes:
        exported: That state, without secrets that another passphrase encrypts.
    """

    exported: Reference


class UnlockRequest(StackRequest):
    """Take away a lock that a dead run left.

    Attributes:
        owner: The run that made it. It must not live any more, and all locks must be its own.
    """

    owner: PulumiRunId
