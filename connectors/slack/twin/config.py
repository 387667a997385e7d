"""How Slack's twin is started: who is in the workspace, which channels there are, and the one app installed in it."""

from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.slack.twin.limits import Limits

SCOPES: Final = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "chat:write",
        "commands",
        "files:write",
        "users:read",
        "users:read.email",
    }
)
"""What the app was granted, unless the configuration says less."""


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Team(_Given):
    """The workspace."""

    id: str = "T0ACME"
    name: str = "Acme"
    domain: str = "acme"


class Person(_Given):
    """A member of the workspace whom one may act as."""

    id: str = Field(pattern=r"^[UW][A-Z0-9]+$")
    name: str = Field(min_length=1, description="The handle, without @.")
    real_name: str
    email: str | None = None
    title: str = ""
    deactivated: bool = False


class Channel(_Given):
    """A channel; everybody is in it when no members are given."""

    id: str = Field(pattern=r"^C[A-Z0-9]+$")
    name: str = Field(min_length=1, description="Without #.")
    topic: str = ""
    members: frozenset[str] | None = None
    archived: bool = False
    has_app: bool = Field(default=True, description="Whether the app was invited to it.")

    def admits(self, user: str) -> bool:
        """Whether a person is in the channel."""
        return self.members is None or user in self.members


class SlashCommand(_Given):
    """A command that the app registered."""

    command: str = Field(default="/banksman", pattern=r"^/[a-z0-9_-]+$")
    description: str = "Goals, approvals and their state"
    usage_hint: str = "goals | run | approvals | status"


class InstalledApp(_Given):
    """The app, its tokens and where its events go.

    Attributes:
        request_url: Events, interactions and commands are sent there, signed; over Socket Mode when None.
        events: The event types that it subscribed to: `app_mention`, `message.channels`.
    """

    id: str = "A0BANKSMAN"
    name: str = "Banksman"
    user: str = "U0BANKSMAN"
    bot: str = "B0BANKSMAN"
    bot_token: str = Field(default="xoxb-banksman-embedded", repr=False)
    app_token: str = Field(default="xapp-banksman-embedded", repr=False)
    signing_secret: str = Field(default="banksman-embedded-signing-secret", repr=False)
    scopes: frozenset[str] = SCOPES
    commands: tuple[SlashCommand, ...] = (SlashCommand(),)
    events: frozenset[str] = frozenset({"app_mention"})
    request_url: str | None = None


PEOPLE: Final = (
    Person(
        id="U0ALICE", name="alice", real_name="Alice Moreau", email="alice@example.com", title="Platform engineering"
    ),
    Person(id="U0BORIS", name="boris", real_name="Boris Tanaka", email="boris@example.com", title="Site reliability"),
    Person(id="U0CHIKA", name="chika", real_name="Chika Okafor", email="chika@example.com", title="Security"),
)
CHANNELS: Final = (
    Channel(id="C0DEPLOYS", name="deployments", topic="Nothing heavy moves until a person signals"),
    Channel(id="C0GENERAL", name="general", topic="Everybody at Acme"),
)


class TwinConfig(_Given):
    """How the twin is started.

    Attributes:
        listen: host:port.
        ack_seconds: How long an app may take to acknowledge.
        event_retry_seconds: After how long an event that was not acknowledged is sent again, each time.
        store: A file that keeps messages over a restart; in memory only when None.
        hosts: Names that the twin answers to; others are refused, against DNS rebinding.
    """

    listen: str = "127.0.0.1:8310"
    team: Team = Team()
    people: tuple[Person, ...] = Field(default=PEOPLE, min_length=1)
    channels: tuple[Channel, ...] = Field(default=CHANNELS, min_length=1)
    app: InstalledApp = InstalledApp()
    limits: Limits = Limits()
    ack_seconds: float = Field(default=3.0, gt=0)
    event_retry_seconds: tuple[float, ...] = (0.0, 60.0, 300.0)
    store: Path | None = None
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost")

    @model_validator(mode="after")
    def _ids_are_said_once(self) -> Self:
        ids = [one.id for one in (*self.people, *self.channels)] + [self.app.user]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"the ids {', '.join(twice)} are given twice; each person and channel needs its own")
        return self

    def person(self, user: str) -> Person | None:
        """A person by id."""
        return next((one for one in self.people if one.id == user), None)

    def channel(self, channel: str) -> Channel | None:
        """A channel by id, or by name with or without #."""
        name = channel.removeprefix("#")
        return next((one for one in self.channels if channel == one.id or name == one.name), None)
