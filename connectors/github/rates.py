"""What GitHub lets each installation of the App ask for, as it says now, and what this process asked of it lately."""

from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from connectors.github.api import Api, Question
from connectors.github.client import KEY_REFUSED, GitHubApp, app_jwt
from connectors.github.installed import as_installation
from connectors.github.models import AppCredentials
from connectors.github.registration import AppSession, InstallationSeen

_GONE: Final = "the App is no longer installed there"


class _Core(BaseModel):
    limit: int
    remaining: int
    reset: int


class _Resources(BaseModel):
    core: _Core


class _RateLimit(BaseModel):
    resources: _Resources


class InstallationRate(BaseModel):
    """One installation.

    Attributes:
        limit: Requests in one hour, all processes together; None where it is suspended and GitHub says none.
        remaining: How many are left.
        resets_at: When they are whole again.
        closed_for: Seconds for which this process asks nothing, since GitHub refused it; 0 where it asks.
        written_minute: What this process wrote for people in the last minute, of the 80 that GitHub takes.
        written_hour: The same of the last hour, of 500.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    account: str
    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    closed_for: float = Field(default=0.0, ge=0)
    written_minute: int = 0
    written_hour: int = 0


async def installation_rates(github: GitHubApp, credentials: AppCredentials, *, most: int) -> list[InstallationRate]:
    """Of each installation, at most so many. To ask costs an installation none of its requests.

    Each is asked with a token that may see names alone; it is revoked, whatever ended it.

    Raises:
        AuthDenied: GitHub refuses the App's key.
        ConnectorError: Anything else, by the tree.
    """
    api = github.api()
    try:
        api.authenticate(app_jwt(credentials))
        there = (await AppSession(api).installations())[:most]
        return [await _of_one(github, api, credentials, one) for one in there]
    finally:
        api.close()


async def _of_one(github: GitHubApp, api: Api, credentials: AppCredentials, one: InstallationSeen) -> InstallationRate:
    lately = github.lately(credentials.client_id, one.account.login)
    known = InstallationRate(
        number=one.id,
        account=one.account.login,
        closed_for=lately.closed_for,
        written_minute=lately.minute,
        written_hour=lately.hour,
    )
    if one.suspended_at is not None:
        return known
    core = await _asked(api, credentials, one.id)
    resets_at = datetime.fromtimestamp(core.reset, UTC)
    return known.model_copy(update={"limit": core.limit, "remaining": core.remaining, "resets_at": resets_at})


async def _asked(api: Api, credentials: AppCredentials, number: int) -> _Core:
    question = Question(
        what=f"the rate of installation {number}", path="/rate_limit", missing=_GONE, denied=KEY_REFUSED
    )
    async with as_installation(api, credentials, number):
        return (await api.ask(question, _RateLimit.model_validate_json)).resources.core
