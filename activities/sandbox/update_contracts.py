"""The steps of an update of dependencies: a lock file that its own tool writes anew, and what is known against it.

Each is one command in one fresh container. What is not done is a result: `refused` says why, and nothing has changed
anywhere.
"""

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from temporalio.common import RetryPolicy

from activities.presets import Preset
from activities.queues import TaskQueue
from activities.sandbox.contracts import Source
from activities.sandbox.session_contracts import ChangedFile
from activities.step import Step
from hitl.protocol import Effect, PolicyContext
from sandbox.gate.locks import Ecosystem
from sandbox.updates.running import ADVISORIES, REGISTRIES

MOST_FINDINGS: Final = 100


class UpdateDependenciesRequest(BaseModel):
    """Which commit, and what of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Source
    ecosystem: Ecosystem | None = Field(default=None, description="Whose lock file, where there are several.")
    packages: tuple[str, ...] = Field(default=(), description="Those that may move; all when empty.")
    write: tuple[str, ...] = Field(default=(), description="Where the lock file is looked for; everywhere when empty.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the repository, the purpose, and the packages as `resource`."""
        touched = PolicyContext.of_repository(self.source.repository)
        return touched.model_copy(update={"purpose": REGISTRIES, "resource": " ".join(self.packages)[:200] or None})


class SumsUpdated(BaseModel):
    """The file of digests beside a lock file, where that ecosystem has one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    before: str = Field(description="The artifact of what it was.")
    every: str = Field(description="The artifact of what it is with all that can move.")
    file: ChangedFile = Field(description="What it is now.")


class DependenciesUpdated(BaseModel):
    """The lock file as its tool wrote it, which nobody has judged yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refused: str | None = Field(default=None, description="Why it was not done, and what may be. A tool's own words.")
    lock: str = Field(default="", description="The lock file's path.")
    ecosystem: Ecosystem | None = None
    before: str = Field(default="", description="The artifact of what it was.")
    every: str = Field(default="", description="The artifact of what it is with all that can move.")
    file: ChangedFile | None = Field(default=None, description="What it is now; None where nothing moves.")
    sums: SumsUpdated | None = Field(default=None, description="Of what has its digests in another file.")
    patch: str | None = Field(default=None, description="The artifact of git's patch.")
    patch_size: int = 0
    libraries: str | None = Field(default=None, description="The artifact of what was fetched, for the tests.")
    links: dict[str, str] = Field(default_factory=dict[str, str], description="By package. Strangers' words.")
    hosts: tuple[str, ...] = Field(default=(), description="Of the registries that are configured.")
    downloads: int = Field(default=0, description="What the mirror gave.")


class AuditDependenciesRequest(BaseModel):
    """A commit with a change, and the lock file that is looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Source
    patch: str = Field(description="The artifact of the change.")
    lock: str = Field(description="The lock file's path.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.source.repository).model_copy(update={"purpose": ADVISORIES})


class Finding(BaseModel):
    """What is known against a package. Strangers' words."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(description="Of the advisory, or its address.")
    package: str
    says: str = ""

    @property
    def same(self) -> tuple[str, str]:
        """What it is known by before and after an update."""
        return self.id, self.package


class DependenciesAudited(BaseModel):
    """What the audit told. One that could not run has told nothing, and `refused` says so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refused: str | None = Field(default=None, description="Why it did not run.")
    tool: str = Field(default="", description="What audited.")
    brought: tuple[Finding, ...] = Field(default=(), description="Known against what the change brings alone.")
    left: tuple[Finding, ...] = Field(default=(), description="Known before and after.")
    mended: tuple[Finding, ...] = Field(default=(), description="Known before alone.")


def _tried(minutes: int) -> Preset:
    return Preset(
        start_to_close=timedelta(minutes=minutes),
        schedule_to_close=timedelta(hours=12),
        heartbeat=timedelta(seconds=20),
        retry=RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30), maximum_attempts=4
        ),
    )


UPDATE_DEPENDENCIES: Final = Step(
    name="sandbox.update_dependencies", request=UpdateDependenciesRequest, response=DependenciesUpdated,
    effect=Effect.WRITE, on=TaskQueue.SANDBOX, tried=_tried(20),
)  # fmt: skip
AUDIT_DEPENDENCIES: Final = Step(
    name="sandbox.audit_dependencies", request=AuditDependenciesRequest, response=DependenciesAudited,
    effect=Effect.WRITE, on=TaskQueue.SANDBOX, tried=_tried(10),
)  # fmt: skip
