"""A GitHub App as GitHub has it: made of a manifest, what it may do, where it is installed, where its webhook goes."""

import itertools
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from connectors.errors import AuthDenied, InvalidRequest
from connectors.github.api import Api, Question
from connectors.github.client import KEY_REFUSED, GitHubApp, app_jwt
from connectors.github.models import AppCredentials, SignInCredentials

PAGE: Final = 100
"""As many as GitHub gives at once."""
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_GONE: Final = "there is no such GitHub App any more: begin `banksman github setup` anew"
_CODE_USED: Final = (
    "GitHub knows no such code: it is good once and for an hour. If the App was made, open its settings, generate a "
    "private key, and give it to `banksman github rotate-key` with --client-id"
)
_NO_HOOK: Final = "the GitHub App has no webhook: activate one in its settings"


class _Read(BaseModel):
    # An error shows no part of an answer: some answers are keys.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Account(_Read):
    """A person or an organisation."""

    login: str
    id: int = 0
    type: str = "Organization"


class AppSeen(_Read):
    """An App, as it says of itself.

    Attributes:
        html_url: Its public page.
    """

    id: int
    slug: str
    name: str
    client_id: str
    html_url: str
    owner: Account
    permissions: Mapping[str, str]
    events: tuple[str, ...]


class MadeApp(AppSeen):
    """An App that was just made, with what GitHub shows this once."""

    webhook_secret: SecretStr | None
    client_secret: SecretStr
    pem: SecretStr

    def credentials(self) -> AppCredentials:
        """What it proves by who it is."""
        return AppCredentials(client_id=self.client_id, private_key=self.pem)

    def sign_in(self) -> SignInCredentials:
        """What it signs people in with."""
        return SignInCredentials(client_id=self.client_id, client_secret=self.client_secret)


class InstallationSeen(_Read):
    """Where an App is installed, and what it was granted there."""

    id: int
    account: Account
    html_url: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    repository_selection: str = "selected"
    suspended_at: datetime | None = None
    updated_at: datetime


class HookSeen(_Read):
    """Where an App's events go. GitHub shows stars for the secret.

    Attributes:
        insecure_ssl: `1` where GitHub would believe any certificate.
    """

    url: str = ""
    content_type: str = "form"
    insecure_ssl: str | float = "0"
    secret: str = ""


class DeliverySeen(_Read):
    """One attempt to deliver an event.

    Attributes:
        id: Of the attempt.
        guid: Of what is delivered, the same in each attempt.
        status_code: What we answered; 0 where nobody did.
    """

    id: int
    guid: str
    delivered_at: datetime
    redelivery: bool
    status_code: int
    event: str


class _Token(_Read):
    token: SecretStr = Field(repr=False)


_INSTALLATIONS: Final = TypeAdapter(list[InstallationSeen])
_DELIVERIES: Final = TypeAdapter(list[DeliverySeen])


async def made_of_code(github: GitHubApp, code: str) -> MadeApp:
    """The App that a person made of a manifest; GitHub shows its key and webhook secret this once.

    Raises:
        InvalidRequest: It is no code.
        NotFound: The code was used, or is older than an hour.
        ConnectorError: Anything else, by the tree.
    """
    if not _CODE.fullmatch(code):
        raise InvalidRequest("what you gave is no code of GitHub's: copy what stands behind code= in the address")
    api = github.api()
    question = Question(
        what="the App that was made",
        method="POST",
        path=f"/app-manifests/{code}/conversions",
        missing=_CODE_USED,
        denied=_CODE_USED,
    )
    try:
        return await api.ask(question, MadeApp.model_validate_json)
    finally:
        api.close()


@dataclass(frozen=True)
class AppSession:
    """What an App asks of itself."""

    api: Api

    async def itself(self) -> AppSeen:
        """Who it is.

        Raises:
            AuthDenied: GitHub refuses the key.
            ConnectorError: Anything else, by the tree.
        """
        return await self.api.ask(_about("the App itself", "/app"), AppSeen.model_validate_json)

    async def installations(self) -> list[InstallationSeen]:
        """All places where it is installed, suspended ones too.

        Raises:
            ConnectorError: By the tree.
        """
        found: list[InstallationSeen] = []
        for page in itertools.count(1):
            query = {"per_page": str(PAGE), "page": str(page)}
            question = _about("where the App is installed", "/app/installations", query=query)
            told = await self.api.ask(question, _INSTALLATIONS.validate_json)
            found += told
            if len(told) < PAGE:
                return found
        raise AssertionError("counting ended")

    async def hook(self) -> HookSeen | None:
        """Where its events go; None where it has no webhook.

        Raises:
            ConnectorError: By the tree.
        """
        found = await self.api.ask(_about("the App's webhook", "/app/hook/config"), HookSeen.model_validate_json)
        return found if found.url else None

    async def change_hook(self, *, secret: SecretStr) -> None:
        """Have its events signed with this secret from now on. Safe to repeat.

        Raises:
            ConnectorError: By the tree.
        """
        body = {"secret": secret.get_secret_value()}
        question = _about("a new secret of the webhook", "/app/hook/config", method="PATCH", body=body)
        await self.api.ask(question, HookSeen.model_validate_json)

    async def deliveries(self) -> list[DeliverySeen]:
        """The newest attempts to deliver something, the newest first; GitHub keeps those of three days.

        Raises:
            ConnectorError: By the tree.
        """
        question = _about("what was delivered", "/app/hook/deliveries", query={"per_page": str(PAGE)})
        return await self.api.ask(question, _DELIVERIES.validate_json)

    async def deliver_again(self, delivery: DeliverySeen) -> None:
        """Have GitHub deliver it once more, signed with the secret that it has now.

        Raises:
            ConnectorError: By the tree.
        """
        path = f"/app/hook/deliveries/{delivery.id}/attempts"
        await self.api.ask(_about("another delivery", path, method="POST"), str)

    async def tries_a_token(self, installation: InstallationSeen) -> None:
        """Make a token that may see names alone, and give it back: the whole way that each step goes.

        Raises:
            ConnectorError: By the tree.
        """
        path, body = f"/app/installations/{installation.id}/access_tokens", {"permissions": {"metadata": "read"}}
        question = _about("a token, to try it", path, method="POST", body=body)
        app, made = self.api.bearer, await self.api.ask(question, _Token.model_validate_json)
        try:
            self.api.authenticate(made.token.get_secret_value())
            await self.api.ask(_about("the end of a token", "/installation/token", method="DELETE"), str)
        finally:
            self.api.authenticate(app)


@asynccontextmanager
async def as_app(github: GitHubApp, credentials: AppCredentials) -> AsyncGenerator[AppSession]:
    """Ask as the App itself.

    Raises:
        AuthDenied: The key is none.
    """
    api = github.api()
    try:
        api.authenticate(app_jwt(credentials))
        yield AppSession(api)
    finally:
        api.close()


async def is_refused(github: GitHubApp, credentials: AppCredentials) -> bool:
    """Whether GitHub refuses this key.

    Raises:
        ConnectorError: GitHub says neither: it cannot be reached, or what lies there is no key.
    """
    try:
        async with as_app(github, credentials) as session:
            await session.itself()
    except AuthDenied as error:
        if str(error) != KEY_REFUSED:
            raise  # something else is in the way, and says nothing of the key
        return True
    return False


def _about(
    what: str,
    path: str,
    *,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
) -> Question:
    missing = _NO_HOOK if path.startswith("/app/hook/") else _GONE
    denied = f"GitHub refuses {what} to the App: its installation may be suspended"
    return Question(
        what=what,
        path=path,
        method=method,
        query=query or {},
        body=body,
        missing=missing,
        denied=denied,
        unauthorized=KEY_REFUSED,
    )
