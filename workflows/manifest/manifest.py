"""The manifest as a whole: a service, how its code becomes what runs, how one sees that, and what may be undone."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from activities.pulumi.place import StackName
from hitl.policy.tightening import Tightening
from workflows.manifest.commands import Command, Migration
from workflows.manifest.needs import Needs
from workflows.manifest.verify import Verify
from workflows.manifest.words import EnvironmentName, Identity, Line, Part, Path, Prose, ServiceName

FILE_NAME: Final = "banksman.yaml"
"""Where a manifest lies, from the root of its repository."""
VERSION: Final = 1


class Owner(Part):
    """Who answers for a service."""

    team: Line = Field(description="The team's name.", examples=["web"])
    people: Annotated[tuple[Identity, ...], Field(max_length=50)] = Field(
        default=(), description="People, as the deployment's policy names them.", examples=[["github:alice"]]
    )
    contact: Line | None = Field(
        default=None, description="Where they are reached, for people.", examples=["#team-web in Slack"]
    )


class Service(Part):
    """The service."""

    name: ServiceName = Field(description="What it is called.", examples=["shop-web"])
    description: Prose | None = Field(default=None, description="What it does, for people.", examples=["The shop."])
    owner: Owner = Field(description="Who answers for it.")


class Pulumi(Part):
    """The Pulumi project that brings the service up."""

    directory: Path | None = Field(
        default=None,
        description="Where its Pulumi.yaml lies; the root of the repository when left out.",
        examples=["infra"],
    )
    stacks: Annotated[dict[EnvironmentName, StackName], Field(min_length=1, max_length=50)] = Field(
        description="The stack of each environment, by name and without its project.",
        examples=[{"staging": "staging", "production": "live"}],
    )


class CodeRollback(StrEnum):
    """How code is taken back."""

    REVERT = "revert"
    """By a pull request that reverts the commit."""
    NEVER = "never"


class InfrastructureRollback(StrEnum):
    """How infrastructure is taken back."""

    PREVIOUS = "previous"
    """By the program of the deployment before, planned and approved as any other."""
    NEVER = "never"


class SchemaRollback(StrEnum):
    """How the schema of a database is taken back."""

    DOWN = "down"
    """By the command in `down`."""
    NEVER = "never"


class Rollback(Part):
    """What may be taken back when the service is not healthy, and how. People approve it as anything else."""

    code: CodeRollback = Field(
        default=CodeRollback.NEVER, description="`revert`: a pull request reverts it; or `never`.", examples=["revert"]
    )
    infrastructure: InfrastructureRollback = Field(
        default=InfrastructureRollback.NEVER,
        description="`previous`: the deployment before it is planned again; or `never`.",
        examples=["previous"],
    )
    of_schema: SchemaRollback = Field(
        default=SchemaRollback.NEVER,
        alias="schema",
        description="`down`: the command in `down` undoes the migration; or `never`.",
        examples=["down"],
    )
    down: Command | None = Field(default=None, description="What undoes the migration.")


class Manifest(Part):
    """The service manifest of Banksman: how a service is tested, built, brought up, verified and taken back."""

    version: Literal[1] = Field(description="Of the manifest's form: 1.", examples=[1])
    service: Service = Field(description="What the service is, and whose.")
    test: Command | None = Field(default=None, description="How it is tested.")
    build: Command | None = Field(default=None, description="How it is built.")
    migrate: Migration | None = Field(default=None, description="How its database's schema is brought up to date.")
    pulumi: Pulumi | None = Field(default=None, description="What brings it up.")
    needs: Needs = Field(default=Needs(), description="Databases, caches, collections and flows that it needs.")
    verify: Verify | None = Field(default=None, description="How it shows that it is healthy.")
    rollback: Rollback = Field(default=Rollback(), description="What may be taken back; nothing when left out.")
    policy: Tightening = Field(
        default=Tightening(), description="How the deployment's policy is tightened for it. Nothing here loosens it."
    )
