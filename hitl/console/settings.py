"""What the console needs to know, checked before it starts."""

from datetime import timedelta
from typing import Annotated, Final, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
GITHUB_CALLBACK: Final = "/sign-in/github/callback"
"""The path that GitHub sends people back to; their App must have its address registered, to the letter."""
_MIN_SECRET: Final = 32


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError(f"{value!r} is not an address; write it with http:// or https://")
    return value.rstrip("/")


def _safe_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{value!r} is not https; only on this machine itself may it be http")
    return value


Url = Annotated[str, AfterValidator(_url)]
SafeUrl = Annotated[str, AfterValidator(_url), AfterValidator(_safe_url)]


_ORIGIN: Final[TypeAdapter[str]] = TypeAdapter(SafeUrl)


def github_callback(console: str) -> str:
    """What an App must have registered, so that people can sign in by it to this console.

    Args:
        console: Where people open it, as in https://banksman.example.com.

    Raises:
        ValueError: No console can be there; the message says why.
    """
    try:
        origin = _ORIGIN.validate_python(console)
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error
    parts = urlsplit(origin)
    if parts.path or parts.query or parts.fragment:
        raise ValueError(f"{console!r} has a path; the console needs an origin of its own")
    return f"{origin}{GITHUB_CALLBACK}"


Members = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:/[A-Za-z0-9_-]{1,100})?$", to_lower=True)
]
"""An organisation of GitHub's, or a team of it by its name in addresses."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OidcSettings(_Settings):
    """The provider that people sign in by: authorization code with PKCE."""

    issuer: SafeUrl = Field(description="As its id tokens name it; a trailing slash counts for nothing.")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = Field(default=None, description="None for a public client.")
    identity_claim: Literal["email", "sub"] = Field(
        default="email", description="What `console:` names in the policy; an email must be verified."
    )


class GitHubSignIn(_Settings):
    """The GitHub App that people sign in by."""

    pages: SafeUrl = Field(description="Where people are on GitHub, as in https://github.com.")
    api: SafeUrl = Field(description="Where its API is, as in https://api.github.com.")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    members: tuple[Members, ...] = Field(
        default=(), description="Organisations, `acme`, and teams, `acme/platform`: only their members enter."
    )


class ConsoleSettings(_Settings):
    """One console.

    Raises:
        ValueError: Nobody could sign in, or anybody could; the message says what to set.
    """

    origin: SafeUrl = Field(description="Where people open it, as in https://banksman.example.com; no path.")
    listen: str = Field(default="127.0.0.1:8320", description="HOST:PORT that the gateway serves it at.")
    secret: SecretStr = Field(description="Signs sessions and forms; the same in each copy of the gateway.")
    development: bool = Field(
        default=False, description="Set by the embedded environment alone: people sign in by saying who they are."
    )
    oidc: OidcSettings | None = None
    github: GitHubSignIn | None = None
    namespace: str = "default"
    temporal_ui: Url | None = None
    traces: Url | None = Field(default=None, description="Page of a goal's traces; {workflow_id} stands for its id.")
    code: Url | None = Field(default=None, description="Where repositories are seen, as in https://github.com.")
    policy: Url | None = Field(default=None, description="Page of the policy file in its repository.")
    session_for: timedelta = Field(default=timedelta(hours=8), gt=timedelta(), le=timedelta(days=1))
    form_for: timedelta = Field(default=timedelta(minutes=15), gt=timedelta(), le=timedelta(hours=1))

    @model_validator(mode="after")
    def _somebody_and_not_anybody_can_sign_in(self) -> Self:
        if len(self.secret.get_secret_value().encode()) < _MIN_SECRET:
            raise ValueError(f"the console's secret is shorter than {_MIN_SECRET} bytes; make a random one")
        if urlsplit(self.origin).path:
            raise ValueError(f"{self.origin!r} has a path; the console needs an origin of its own")
        listening = self.listen_address[0]
        if not self.vouched and not self.development:
            raise ValueError(
                "the development sign-in lets anybody be anybody, in the embedded environment alone; set a sign-in by "
                "OpenID Connect or by GitHub"
            )
        if not self.vouched and self.host not in LOOPBACK:
            raise ValueError(
                f"the development sign-in is for this machine alone, not for {self.origin!r}; set a sign-in by OpenID "
                "Connect or by GitHub"
            )
        if not self.vouched and listening not in LOOPBACK:
            raise ValueError(f"the development sign-in listens on this machine alone, not at {self.listen!r}")
        return self

    @property
    def vouched(self) -> bool:
        """Whether somebody vouches for who people are: else they say so themselves."""
        return self.oidc is not None or self.github is not None

    @property
    def listen_address(self) -> tuple[str, int]:
        """Host and port to listen at.

        Raises:
            ValueError: It is not HOST:PORT.
        """
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"{self.listen!r} is not HOST:PORT; write for example 127.0.0.1:8320")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def host(self) -> str:
        """The one host name that it answers to."""
        return urlsplit(self.origin).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether cookies travel by https only."""
        return self.origin.startswith("https:")

    def workflow_link(self, workflow_id: str, run_id: str | None = None) -> str | None:
        """The workflow in the Temporal UI, where that has an address."""
        if self.temporal_ui is None:
            return None
        run = f"/{quote(run_id, safe='')}/history" if run_id else ""
        place = f"{self.temporal_ui}/namespaces/{quote(self.namespace, safe='')}/workflows"
        return f"{place}/{quote(workflow_id, safe='')}{run}"

    def trace_link(self, workflow_id: str) -> str | None:
        """The workflow's traces, where they have a page."""
        return self.traces.replace("{workflow_id}", quote(workflow_id, safe="")) if self.traces else None

    def code_link(self, repository: str | None, place: str, *, comment: int | None = None) -> str | None:
        """A page of a repository, as in `commit/…` or `runs/…`, where repositories have pages; a comment on it."""
        if self.code is None or repository is None:
            return None
        return f"{self.code}/{quote(repository)}/{quote(place)}" + (f"#issuecomment-{comment}" if comment else "")

    def pull_link(self, repository: str | None, number: int | None) -> str | None:
        """The page of a pull request, where repositories have one."""
        if self.code is None or repository is None or number is None:
            return None
        return f"{self.code}/{quote(repository)}/pull/{number}"
