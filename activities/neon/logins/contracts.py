"""Steps on logins to databases, as goals ask for them. A password is in none of them: it goes to Vault."""

import shlex
from datetime import timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from activities.leases.contracts import LeasedPage, LeaseStanding, ListLeased
from activities.leases.kinds import LeaseKind
from activities.step import Step
from connectors.neon import manifest
from connectors.neon.purposes import Purpose
from hitl.protocol import Effect, PolicyContext

LONGEST: Final = timedelta(days=30)
DATABASE: Final = r"^[A-Za-z_]([A-Za-z0-9_-]{0,38}[A-Za-z0-9_])?$"
"""Forty characters at most: roles of PostgreSQL and names in Vault are made of it."""
_PART: Final = r"^[a-z0-9-]{0,20}$"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class OpenDatabase(_Message):
    """Which database is to get logins, and for what."""

    project: str = Field(pattern=r"^[a-z0-9-]{1,60}$", description="Its id.")
    branch: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="Its id.")
    database: str = Field(pattern=DATABASE, description="Its name.")
    purpose: Purpose
    known_as: str = Field(
        default="", description="The branch's name without what the run drew for it, where this goal has made it."
    )

    def policy_context(self) -> PolicyContext:
        """What the policy may match: `br-quiet-1/shop`, and what for."""
        return PolicyContext(account=self.project, resource=f"{self.branch}/{self.database}", purpose=str(self.purpose))

    def made_by_the_run(self) -> frozenset[str]:
        """Its branch's id, where this goal has made it."""
        return frozenset({"resource"}) if self.known_as else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """The database, by what people know its branch as."""
        return (f"database {self.known_as}/{self.database}",) if self.known_as else ()


class DatabaseOpened(_Message):
    """Where it is."""

    host: str
    port: int
    database: str


class IssueLogin(OpenDatabase):
    """A login that is to be."""

    ends_at: AwareDatetime = Field(description="It lives no longer.")
    part: str = Field(default="", pattern=_PART, description="Which one, where a goal has several.")


class LoginIssued(_Message):
    """A login, without its password."""

    secret: str = Field(description="Where in Vault it is: the fields `uri`, `username` and `password`.")
    host: str
    port: int
    database: str
    role: str = Field(description="Who connects by it.")
    expires_at: AwareDatetime = Field(description="When it ends by itself.")


class LeasedLogin(OpenDatabase):
    """What names a login."""

    mark: str = Field(pattern=r"^banksman-[0-9a-f]{16}$")


class ProlongLogin(LeasedLogin):
    """How long its lease is to hold it."""

    until: AwareDatetime


class LoginProlonged(_Message):
    """How long it lives."""

    until: AwareDatetime


class LoginEnded(_Message):
    """What was ended."""

    dropped: tuple[str, ...] = Field(default=(), description="Those that Vault had not ended.")


class SweepLogins(_Message):
    """In which branch to look for logins that nobody holds."""

    project: str = Field(description="Its id.")
    branch: str = Field(description="Its id.")
    name: str = Field(default="", description="The branch's name, where this goal has made it.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(account=self.project, resource=self.branch)

    def made_by_the_run(self) -> frozenset[str]:
        """Its branch's id, where its name is told."""
        return frozenset({"resource"}) if self.name else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """Whose logins they are."""
        return (f"branch {self.name}",) if self.name else ()


class LoginsSwept(_Message):
    """What was found."""

    dropped: tuple[str, ...] = Field(default=(), description="Logins that no role of Vault's made for this branch.")


OPEN_DATABASE: Final = Step(
    name="neon.open_database",
    request=OpenDatabase,
    response=DatabaseOpened,
    effect=Effect.WRITE,
    credential=manifest.OPEN,
)
ISSUE_LOGIN: Final = Step(
    name="neon.issue_login", request=IssueLogin, response=LoginIssued, effect=Effect.WRITE, credential=manifest.ISSUE
)
FIND_LOGINS: Final = Step(
    name="neon.find_logins", request=ListLeased, response=LeasedPage, effect=Effect.READ, credential=manifest.LOOK
)
CHECK_LOGIN: Final = Step(
    name="neon.check_login", request=LeasedLogin, response=LeaseStanding, effect=Effect.READ, credential=manifest.LOOK
)
PROLONG_LOGIN: Final = Step(
    name="neon.prolong_login",
    request=ProlongLogin,
    response=LoginProlonged,
    effect=Effect.READ,
    credential=manifest.READ,
)
END_LOGIN: Final = Step(
    name="neon.end_login", request=LeasedLogin, response=LoginEnded, effect=Effect.WRITE, credential=manifest.ISSUE
)
SWEEP_LOGINS: Final = Step(
    name="neon.sweep_logins", request=SweepLogins, response=LoginsSwept, effect=Effect.WRITE, credential=manifest.LOOK
)

NEON_LOGIN: Final = LeaseKind(
    name="neon-login",
    title="database login",
    place=LeasedLogin,
    find=FIND_LOGINS,
    check=CHECK_LOGIN,
    end=END_LOGIN,
    extend=PROLONG_LOGIN,
    by_hand=lambda place: (
        f"vault lease revoke -prefix {shlex.quote(f'banksman-neon/creds/{place.purpose}-{place.mark}')}"
    ),
    longest=LONGEST,
)
