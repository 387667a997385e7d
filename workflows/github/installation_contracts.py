"""Where our App is installed, as GitHub told it: one workflow for each installation, which says so in its memo.

Nothing is allowed by it: what a token may do, GitHub says when it is asked for one. Whoever reaches Temporal can tell
such a workflow something as well, and people would read it; no step reads it.
"""

from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.github.installations_contracts import InstallationFound
from activities.queues import TaskQueue
from activities.step import Step
from hitl.github.events import Actor, InstallationEvent, InstallationRepositoriesEvent, RepositoryMention
from hitl.protocol import Effect
from workflows.github.contracts import ReceivedDelivery

INSTALLATION_WORKFLOW: Final = "GitHubInstallation"
INSTALLATION_MEMO: Final = "BanksmanInstallation"
TOLD: Final = "told"
"""The signal: a delivery of GitHub's about this installation."""

MOST_REPOSITORIES: Final = 500
_MOST_GONE: Final = 100
_MOST_SEEN: Final = 50
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


def installation_id(number: int) -> str:
    """The id of the workflow that knows how an installation stands."""
    return f"github-installation/{number}"


class Held(BaseModel):
    """A repository, and whether the installation covers it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: RepositoryMention
    covered: bool
    since: datetime


class InstallationState(BaseModel):
    """How an installation stands."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    account: Actor | None = None
    all_repositories: bool = False
    permissions: dict[str, str] = Field(default_factory=dict)
    events: tuple[str, ...] = ()
    held: tuple[Held, ...] = Field(default=(), description="Also those that were taken away, for late news of them.")
    more: bool = Field(default=False, description="Whether it covers more than are kept here.")
    suspended_at: datetime | None = None
    deleted: bool = False
    as_of: datetime = _LONG_AGO
    seen: tuple[str, ...] = Field(default=(), description="Deliveries that are in it, the last ones.")

    @classmethod
    def found(cls, found: InstallationFound) -> "InstallationState":
        """How one stands that GitHub lists, and told nobody of."""
        at = found.updated_at
        covered = (RepositoryMention(**one.model_dump()) for one in found.repositories)
        return cls(
            number=found.number,
            account=Actor(login=found.login, id=found.account, type=found.type),
            all_repositories=found.all_repositories,
            permissions=found.permissions,
            events=found.events,
            held=tuple(Held(repository=one, covered=True, since=at) for one in covered),
            more=found.more,
            suspended_at=found.suspended_at,
            as_of=at,
        )

    @property
    def repositories(self) -> tuple[RepositoryMention, ...]:
        """What it covers, by name; not all there is where it covers every repository."""
        there = [one.repository for one in self.held if one.covered]
        return tuple(sorted(there, key=lambda one: one.full_name.lower()))

    def told(self, received: ReceivedDelivery, *, now: datetime) -> "InstallationState":
        """How it stands after a delivery, which may be late, or come twice.

        Args:
            received: Of this installation.
            now: When it came; it counts where GitHub says no time.
        """
        event = received.event
        if self.deleted or received.delivery in self.seen:
            return self
        if not isinstance(event, InstallationEvent | InstallationRepositoriesEvent):
            return self
        if event.installation.id != self.number:
            return self
        at = event.installation.updated_at or now
        seen = (*self.seen, received.delivery)[-_MOST_SEEN:]
        changed = self.model_copy(update={"seen": seen, **self._memberships(event, at)})
        if at < self.as_of and event.action != "deleted":
            return changed  # of what stands for itself, something newer is known
        return changed.model_copy(update=_standing(event, at))

    def _memberships(self, event: InstallationEvent | InstallationRepositoriesEvent, at: datetime) -> dict[str, object]:
        if isinstance(event, InstallationEvent):
            news = [(one, True) for one in event.repositories] if event.action != "deleted" else []
        else:
            news = [(one, True) for one in event.repositories_added]
            news += [(one, False) for one in event.repositories_removed]
        held = {one.repository.id: one for one in self.held}
        for repository, covered in news:
            known = held.get(repository.id)
            if known is None or known.since <= at:
                held[repository.id] = Held(repository=repository, covered=covered, since=at)
        there = [one for one in held.values() if one.covered]
        gone = [one for one in held.values() if not one.covered]
        kept = (*there[:MOST_REPOSITORIES], *gone[-_MOST_GONE:])
        return {"held": kept, "more": self.more or len(there) > MOST_REPOSITORIES}


def _standing(event: InstallationEvent | InstallationRepositoriesEvent, at: datetime) -> dict[str, object]:
    told = event.installation
    return {
        "account": told.account,
        "all_repositories": told.repository_selection == "all",
        "permissions": told.permissions,
        "events": told.events,
        "suspended_at": told.suspended_at if event.action != "unsuspend" else None,
        "deleted": event.event == "installation" and event.action == "deleted",
        "as_of": at,
    }


class KeepInstallation(BaseModel):
    """`hitl.keep_installation`: nothing. What GitHub told, the server says."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class KeptInstallation(BaseModel):
    """It is told to the installation's workflow."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    workflow: str
    gone: bool = Field(default=False, description="Whether it was deleted before: then there is nothing to tell.")


KEEP_INSTALLATION: Final = Step(
    name="hitl.keep_installation",
    request=KeepInstallation,
    response=KeptInstallation,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
