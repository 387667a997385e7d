"""New keys of an App and a new secret of its webhook, each with an overlap: old and new are good, then the new alone.

Where it stands is what Vault keeps: the former one, for as long as it may be good. So whoever begins again goes on.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import SecretStr

from connectors.authorities import authorities
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from connectors.github.client import GitHubApp
from connectors.github.models import AppCredentials
from connectors.github.registration import AppSeen, AppSession, DeliverySeen, as_app, is_refused
from hitl.github.signature import sign_body
from observability.redaction import redact
from workers.github_app.kept import KeptInVault, KeptWebhook
from workers.github_app.wanted import AppKind

_GOOD: Final = range(200, 300)
_REFUSED: Final = frozenset({401, 403})
_TIMEOUT: Final = 10.0
_PING: Final = json.dumps({"zen": "A new secret is tried.", "hook_id": 0, "hook": {}}).encode()


@dataclass(frozen=True, kw_only=True)
class Rotating:
    """One change.

    Attributes:
        say: Tells the person how far it is.
        patience: Seconds to wait until gateways, and GitHub, do what they were told.
        pause: Seconds between two looks.
    """

    github: GitHubApp
    vault: KeptInVault
    pages: str
    say: Callable[[str], None]
    patience: float = 90
    pause: float = 2

    # An App's key.

    async def new_key(self, kind: AppKind, key: SecretStr, *, client_id: str | None) -> None:
        """Have steps use another key of the App from the next one on, and keep the one before until it is refused.

        Args:
            kind: Which App.
            key: PEM, as GitHub gave it.
            client_id: Of the App, where Vault has none yet.

        Raises:
            InvalidRequest: It is no key, or the one in use, or another change is not over.
            AuthDenied: GitHub does not take it; nothing is changed.
            ConnectorError: Anything else, by the tree.
        """
        redact.register(key)
        await self.vault.require_writable(kind.secret.path)
        kept = await self.vault.app(kind)
        named = client_id or (kept.credentials.client_id if kept else None)
        if named is None:
            raise InvalidRequest(f"Vault has no {kind} App: name it by --client-id")
        if kept is not None and kept.previous is not None:
            raise InvalidRequest(f"a change of this key is not over: first `banksman github rotate-key {kind}`")
        new = AppCredentials(client_id=named, private_key=key)
        if kept is not None and fingerprint(kept.credentials.private_key) == fingerprint(key):
            raise InvalidRequest("this is the key that is in use: generate another one")
        app = await self._itself(new)
        previous = kept.credentials.private_key if kept and kept.credentials.client_id == named else None
        await self.vault.keep_app(kind, new, after=kept, previous=previous)
        self.say(f"GitHub takes the new key of {app.name!r}; Vault has it, and steps use it from the next one on")
        _, tried = await self._works(kind)
        if tried is not None:
            self.say(f"a token for {tried!r} was made with it, and given back")

    async def former_key_ends(self, kind: AppKind) -> bool:
        """Forget the key before this one, once GitHub refuses it; tell which to delete where it does not.

        Returns:
            Whether it is over.

        Raises:
            NotFound: Vault has no key.
            ConnectorError: Anything else, by the tree.
        """
        kept = await self.vault.app(kind)
        if kept is None:
            raise NotFound(f"Vault has no key of the {kind} App: `banksman github setup ORGANISATION`")
        if kept.previous is None:
            self.say("there is one key, and no other is waiting to end")
            return True
        app, _ = await self._works(kind)
        if not await is_refused(self.github, kept.previous):
            old, new = (fingerprint(one.private_key) for one in (kept.previous, kept.credentials))
            self.say(
                f"delete the former key at {self.pages}/organizations/{app.owner.login}/settings/apps/{app.slug}:\n"
                f"  delete {old}\n  keep   {new}\nthen run `banksman github rotate-key {kind}` again"
            )
            return False
        await self.vault.keep_app(kind, kept.credentials, after=kept)
        self.say("GitHub refuses the former key, and Vault has forgotten it")
        return True

    async def _works(self, kind: AppKind) -> tuple[AppSeen, str | None]:
        """Go the whole way of a step with what Vault has: to a token, and of whose installation; None where none is."""
        kept = await self.vault.app(kind)
        if kept is None:
            raise NotFound(f"somebody deleted the key of the {kind} App from Vault meanwhile")
        async with as_app(self.github, kept.credentials) as session:
            app = await session.itself()
            there = [one for one in await session.installations() if one.suspended_at is None]
            if not there:
                return app, None
            await session.tries_a_token(there[0])
            return app, there[0].account.login

    async def _itself(self, app: AppCredentials) -> AppSeen:
        async with as_app(self.github, app) as session:
            return await session.itself()

    # The secret of the webhook.

    async def new_webhook_secret(self) -> None:
        """Make a new secret, have the gateway take both, have GitHub sign with the new one, and end the old one.

        Begun again, it goes on where it stopped.

        Raises:
            NotFound: There is no App, or it has no webhook.
            Unavailable: The gateway or GitHub did not do its part in time; both secrets stay good.
            ConnectorError: Anything else, by the tree.
        """
        await self.vault.require_writable(AppKind.ORDINARY.secret.path)
        kept = await self.vault.app(AppKind.ORDINARY)
        if kept is None:
            raise NotFound("Vault has no key of the ordinary App: `banksman github setup ORGANISATION`")
        async with as_app(self.github, kept.credentials) as session:
            hook = await session.hook()
            if hook is None:
                raise NotFound("the App has no webhook: activate one in its settings")
            both = await self._both()
            await self._until(hook.url, both.secret, takes=True)
            self.say(f"the gateway at {hook.url} takes the new secret")
            await session.change_hook(secret=both.secret)
            await self._delivered(session)
        await self._end_previous(hook.url)

    async def _both(self) -> KeptWebhook:
        """Vault's two: a new one, and the one that GitHub has until it is told."""
        kept = await self.vault.webhook()
        if kept is None or kept.previous is None:
            new = SecretStr(secrets.token_hex(32))
            redact.register(new)
            await self.vault.keep_webhook(new, after=kept, previous=kept.secret if kept else None)
            self.say("a new secret is in Vault" + (", and the old one is good beside it" if kept else ""))
        else:
            self.say("a change was begun before, and goes on")
        found = await self.vault.webhook()
        if found is None:
            raise Conflict("somebody deleted the webhook's secret from Vault meanwhile: begin again")
        return found

    async def _delivered(self, session: AppSession) -> None:
        """See that what GitHub signs now is taken: it delivers the newest of its deliveries once more."""
        before = await session.deliveries()
        if not before:
            self.say("GitHub signs with it from now on; nothing was delivered in three days that could be tried again")
            return
        newest = max(before, key=lambda one: one.delivered_at)
        seen = {one.id for one in before}
        await session.deliver_again(newest)

        async def answered() -> DeliverySeen | None:
            return next(
                (one for one in await session.deliveries() if one.id not in seen and one.guid == newest.guid), None
            )

        end = time.monotonic() + self.patience
        while (found := await answered()) is None:
            if time.monotonic() > end:
                raise Unavailable("GitHub did not deliver in time; both secrets stay good: begin again")
            await asyncio.sleep(self.pause)
        if found.status_code not in _GOOD:
            raise Unavailable(
                f"what GitHub signed with the new secret was answered with {found.status_code}; both secrets stay "
                "good: see the gateway's log, and begin again"
            )
        self.say("GitHub signs with it, and the gateway took a delivery that it signed")

    async def _end_previous(self, url: str) -> None:
        kept = await self.vault.webhook()
        if kept is None or kept.previous is None:
            return
        await self.vault.keep_webhook(kept.secret, after=kept)
        await self._until(url, kept.previous, takes=False)
        self.say("the old secret is gone, and the gateway refuses what is signed with it")

    async def _until(self, url: str, secret: SecretStr, *, takes: bool) -> None:
        """Wait until the gateway takes, or refuses, what is signed with this."""
        end, status = time.monotonic() + self.patience, 0
        while time.monotonic() < end:
            status = await pinged(url, secret)
            if status in (_GOOD if takes else _REFUSED):
                return
            await asyncio.sleep(self.pause)
        wanted = "take the new secret" if takes else "refuse the old secret"
        answer = f"it answers {status}" if status else "nobody answers"
        raise Unavailable(f"the gateway at {url} does not {wanted} ({answer}): see that it runs, and begin again")


async def pinged(url: str, secret: SecretStr) -> int:
    """The status of the answer to a ping as GitHub sends it, signed with this; 0 where nobody answers."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "banksman",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": sign_body(secret, _PING),
    }
    async with httpx.AsyncClient(verify=authorities(), timeout=_TIMEOUT, trust_env=False) as client:
        try:
            return (await client.post(url, content=_PING, headers=headers)).status_code
        except httpx.HTTPError:
            return 0


def fingerprint(key: SecretStr) -> str:
    """What GitHub shows of a key: `SHA256:…`, of its public half.

    Raises:
        InvalidRequest: It is no RSA key in PEM.
    """
    try:
        found = load_pem_private_key(key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, RSAPrivateKey):
        raise InvalidRequest("this is no RSA key in PEM: give the file that GitHub let you download") from None
    public = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode()
