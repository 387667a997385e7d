"""Signing in by GitHub: the web flow of a GitHub App, with state and PKCE, as GitHub speaks no OpenID Connect.

The token that GitHub gives is asked with for who that is, and where the deployment wants it whether they are in an
organisation. Then it is given back: nothing here keeps it, and no log, page or cookie has it.
"""

from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from connectors.authorities import authorities
from hitl.console.access.code_flow import SignInFailed, challenge
from hitl.console.access.tokens import SignIn
from hitl.console.settings import GitHubSignIn
from hitl.github.events import Actor

_PATIENCE_S: Final = 10.0
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_AWAY: Final = "GitHub cannot be reached; try again in a moment."
_USED: Final = "GitHub does not know this sign-in any more: it was used already, or is too old. Sign in again."
_OURS: Final = (
    "GitHub does not accept how this console asks ({error}): an operator has to look at the App's client id, client "
    "secret and callback URL."
)
_REFUSED: Final = "GitHub did not accept the sign-in; sign in again."
_HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    "User-Agent": "banksman",
    "X-GitHub-Api-Version": "2022-11-28",
}
_OF_OURS: Final = frozenset({"incorrect_client_credentials", "redirect_uri_mismatch", "unverified_user_email"})
_log = structlog.get_logger("banksman.gateway")
_Told = TypeVar("_Told", bound=BaseModel)


class _Answer(BaseModel):
    # An error shows no part of an answer: one of them is a token.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Given(_Answer):
    access_token: SecretStr | None = None
    error: str = Field(default="", max_length=100, pattern=r"^[a-z_]*$")


class _Membership(_Answer):
    state: str


class GitHubDoor:
    """One GitHub. It keeps nothing."""

    def __init__(self, settings: GitHubSignIn, *, redirect_uri: str) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri

    def address(self, sign_in: SignIn) -> str:
        """Where the person goes to sign in."""
        asked = {
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "state": sign_in.state,
            "code_challenge": challenge(sign_in),
            "code_challenge_method": "S256",
            "allow_signup": "false",
        }
        return f"{self._settings.pages}/login/oauth/authorize?{urlencode(asked)}"

    async def finish(self, sign_in: SignIn, *, code: str) -> Actor:
        """The account that signed in. The caller has compared the state.

        Args:
            sign_in: The one that this browser began.
            code: From GitHub's answer.

        Raises:
            SignInFailed: GitHub does not vouch for it, or it is in none of the organisations that may enter.
        """
        async with httpx.AsyncClient(verify=authorities(), timeout=_PATIENCE_S, headers=_HEADERS) as client:
            token = await self._exchange(client, code, sign_in.verifier)
            try:
                return await self._who(client, token)
            finally:
                await self._give_back(client, token)

    async def _who(self, client: httpx.AsyncClient, token: SecretStr) -> Actor:
        actor = await self._ask(client, token, "/user", Actor)
        if actor.is_bot:
            raise SignInFailed("GitHub says that this account is no person's; sign in with your own.")
        if self._settings.members:
            await self._require_member(client, token, actor)
        return actor

    async def _require_member(self, client: httpx.AsyncClient, token: SecretStr, actor: Actor) -> None:
        """An active member of one of them; who was invited and has not come yet is none."""
        unseen: list[str] = []
        for one in self._settings.members:
            try:
                found = await self._ask(client, token, _membership(one, actor.login), _Membership)
            except _NotTold as error:
                if error.status == _FORBIDDEN:
                    unseen.append(one)
                continue
            if found.state == "active":
                return
        if unseen:
            raise SignInFailed(
                f"GitHub does not tell this console who is in {', '.join(map(repr, unseen))}: an owner has to grant "
                "the App `members: read` there, or you sign in to the organisation by SAML first."
            )
        wanted = " or ".join(map(repr, self._settings.members))
        raise SignInFailed(f"{actor.login!r} is no member of {wanted} on GitHub, and only members may enter.")

    async def _exchange(self, client: httpx.AsyncClient, code: str, verifier: str) -> SecretStr:
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        try:
            address = f"{self._settings.pages}/login/oauth/access_token"
            answer = await client.post(address, data=form, headers={"Accept": "application/json"})
            answer.raise_for_status()
            given = _Given.model_validate_json(answer.content)
        except httpx.HTTPError as error:
            raise SignInFailed(_AWAY) from error
        except ValidationError as error:
            raise SignInFailed(_REFUSED) from error
        if given.access_token is None:
            raise _why(given.error)
        return given.access_token

    async def _ask(self, client: httpx.AsyncClient, token: SecretStr, path: str, kind: type[_Told]) -> _Told:
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            answer = await client.get(f"{self._settings.api}{path}", headers=headers)
            if answer.status_code in {_FORBIDDEN, _NOT_FOUND}:
                raise _NotTold(answer.status_code)
            answer.raise_for_status()
            return kind.model_validate_json(answer.content)
        except httpx.HTTPError as error:
            raise SignInFailed(_AWAY) from error
        except ValidationError as error:
            raise SignInFailed(_REFUSED) from error

    async def _give_back(self, client: httpx.AsyncClient, token: SecretStr) -> None:
        """End the token. Where GitHub does not take it, it ends by itself, and nobody has it."""
        settings = self._settings
        try:
            answer = await client.request(
                "DELETE",
                f"{settings.api}/applications/{quote(settings.client_id, safe='')}/token",
                json={"access_token": token.get_secret_value()},
                auth=(settings.client_id, settings.client_secret.get_secret_value()),
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("a token of a sign-in was not given back to GitHub", why=type(error).__name__)


class _NotTold(SignInFailed):
    """There is none, or GitHub does not say so to this token."""

    def __init__(self, status: int) -> None:
        super().__init__(_REFUSED)
        self.status = status


def _membership(where: str, login: str) -> str:
    organisation, slash, team = where.partition("/")
    if not slash:
        return f"/user/memberships/orgs/{quote(organisation, safe='')}"
    return f"/orgs/{quote(organisation, safe='')}/teams/{quote(team, safe='')}/memberships/{quote(login, safe='')}"


def _why(error: str) -> SignInFailed:
    if error in _OF_OURS:
        _log.warning("GitHub does not accept the console's sign-in", why=error)
        return SignInFailed(_OURS.format(error=error))
    return SignInFailed(_USED if error == "bad_verification_code" else _REFUSED)
