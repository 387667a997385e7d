"""The GitHub Apps that the twin knows: the one it was started with, and those that people made there by a manifest."""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel, Field, TypeAdapter

from connectors.github.twin.bodies import Json, Site, node_id, number, zulu

FIRST: Final = 1
"""The id of the App that the twin was started with."""


class AppHook(BaseModel):
    """Where an App's events go."""

    url: str
    secret: str | None = Field(default=None, repr=False)
    content_type: str = "json"
    insecure_ssl: str = "0"


class TwinApp(BaseModel):
    """One App.

    Attributes:
        number: Its id.
        keys: PEM; the public halves of all its keys.
        hook: None for one without a webhook.
        on: Who has installed it, with the permissions that they granted; None: everybody, with all that it asks for.
        suspended: Since when (seconds since the epoch), by who has installed it.
        made_at: Seconds since the epoch.
        client_secret: What it signs people in with; None for one that was given none.
        callbacks: Where people who sign in may be sent back to.
    """

    number: int
    slug: str
    name: str
    client_id: str
    owner: str
    permissions: dict[str, str]
    events: list[str] = Field(default_factory=list[str])
    keys: list[str]
    hook: AppHook | None = None
    on: dict[str, dict[str, str]] | None = None
    suspended: dict[str, float] = Field(default_factory=dict[str, float])
    made_at: float = 0
    client_secret: str | None = Field(default=None, repr=False)
    callbacks: list[str] = Field(default_factory=list[str])

    def is_on(self, owner: str) -> bool:
        """Whether this account has installed it."""
        return self.on is None or owner.lower() in self.on

    def granted(self, owner: str) -> dict[str, str]:
        """What its installation there may do."""
        return dict(self.permissions if self.on is None else self.on.get(owner.lower(), {}))

    def installation(self, owner: str) -> int:
        """The number of its installation there."""
        return number(owner) if self.number == FIRST else number(self.slug, owner)

    def named_keys(self) -> list[tuple[str, str, str]]:
        """Each key: its name in addresses, its fingerprint, and itself."""
        return [(f"{number(one):08x}", fingerprint(one), one) for one in self.keys]


def fingerprint(public: str) -> str:
    """What GitHub shows of a key."""
    der = serialization.load_pem_public_key(public.encode()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"SHA256:{base64.b64encode(hashlib.sha256(der).digest()).decode()}"


def new_key() -> tuple[str, str]:
    """A key as GitHub gives it, and the half that it keeps; PEM both."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def told_app(site: Site, app: TwinApp) -> Json:
    """What is said of an App, also where it wrote something."""
    made = zulu(datetime.fromtimestamp(app.made_at, UTC))
    return {
        "id": app.number,
        "slug": app.slug,
        "client_id": app.client_id,
        "node_id": node_id("App", app.client_id),
        "owner": site.account(app.owner),
        "name": app.name,
        "description": None,
        "external_url": site.root,
        "html_url": f"{site.root}/apps/{app.slug}",
        "created_at": made,
        "updated_at": made,
        "permissions": dict(app.permissions),
        "events": list(app.events),
    }


def told_installation(site: Site, app: TwinApp, owner: str) -> Json:
    """An App's installation on an organisation."""
    installation, made = app.installation(owner), zulu(datetime.fromtimestamp(app.made_at, UTC))
    suspended = app.suspended.get(owner.lower())
    return {
        "id": installation,
        "client_id": app.client_id,
        "app_id": app.number,
        "app_slug": app.slug,
        "account": site.account(owner),
        "target_id": number(owner),
        "target_type": "Organization",
        "repository_selection": "selected",
        "access_tokens_url": f"{site.root}/app/installations/{installation}/access_tokens",
        "repositories_url": f"{site.root}/installation/repositories",
        "html_url": f"{site.root}/organizations/{owner}/settings/installations/{installation}",
        "permissions": app.granted(owner),
        "events": list(app.events),
        "single_file_name": None,
        "created_at": made,
        "updated_at": made,
        "suspended_by": None if suspended is None else site.account(owner),
        "suspended_at": None if suspended is None else zulu(datetime.fromtimestamp(suspended, UTC)),
    }


class Apps:
    """All of them.

    Args:
        first: The one that the twin was started with.
        clock: Seconds since the epoch.
        file: Where what people change is kept; None: as long as the process lives.
    """

    _KEPT: Final = TypeAdapter(list[TwinApp])

    def __init__(self, first: TwinApp, clock: Callable[[], float] = time.time, file: Path | None = None) -> None:
        self.clock = clock
        self._file = file
        kept = self._KEPT.validate_json(file.read_bytes()) if file is not None and file.exists() else []
        self.first = _as_it_was(first, next((one for one in kept if one.number == FIRST), None))
        self.all = [self.first, *(one for one in kept if one.number != FIRST)]

    def keep(self) -> None:
        """Write down what was changed."""
        if self._file is None:
            return
        part = self._file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(self._KEPT.dump_json(self.all, indent=2))
        part.replace(self._file)

    def add(self, app: TwinApp) -> None:
        """One more."""
        self.all.append(app)
        self.keep()

    def issued(self, issuer: str) -> TwinApp | None:
        """Which is meant by the issuer of a JWT: a client id, or an App's number."""
        return next((one for one in self.all if issuer in {one.client_id, str(one.number)}), None)

    def called(self, slug: str) -> TwinApp | None:
        """The one of this name in addresses."""
        return next((one for one in self.all if one.slug == slug), None)


def first_app(client_id: str, public_key: str, permissions: Mapping[str, str], *, made_at: float) -> TwinApp:
    """The App that a twin is started with."""
    return TwinApp(
        number=FIRST,
        slug="banksman",
        name="banksman",
        client_id=client_id,
        owner="banksman",
        permissions=dict(permissions),
        keys=[public_key],
        made_at=made_at,
    )


def _as_it_was(first: TwinApp, kept: TwinApp | None) -> TwinApp:
    """With the keys, webhook and suspensions that it had, where it is the same."""
    if kept is None or kept.client_id != first.client_id or first.keys[0] not in kept.keys:
        return first
    # An environment that begins again may listen at another address; the secret may have been changed meanwhile.
    url = first.hook.url if first.hook is not None else None
    hook = kept.hook.model_copy(update={"url": url}) if kept.hook is not None and url else kept.hook or first.hook
    return first.model_copy(update={"keys": kept.keys, "hook": hook, "suspended": kept.suspended})


def secret_of_first(file: Path) -> str | None:
    """What the webhook of the App that a twin was started with is signed with, where somebody changed it."""
    if not file.exists():
        return None
    kept = TypeAdapter(list[TwinApp]).validate_json(file.read_bytes())
    first = next((one for one in kept if one.number == FIRST), None)
    return first.hook.secret if first is not None and first.hook is not None else None
