"""Makes both Apps with a person at GitHub, and keeps what GitHub shows once in Vault; nowhere else."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, OutcomeUnknown
from connectors.github.client import GitHubApp
from connectors.github.manifest import SIGN_IN, WEBHOOK
from connectors.github.permissions import named
from connectors.github.registration import AppSeen, MadeApp, as_app, made_of_code
from workers.github_app.kept import KeptInVault
from workers.github_app.page import Errand, LocalPage, Told
from workers.github_app.wanted import AppKind, app_manifest


@dataclass(frozen=True, kw_only=True)
class Making:
    """One run of `banksman github setup`.

    Attributes:
        pages: Where people see GitHub.
        organisation: Whose the Apps will be.
        webhook: Where GitHub reaches the gateway; only the ordinary App needs it.
        callback: Where GitHub sends people back to who sign in to the console by the ordinary App; None where nobody
            does.
        lead: Brings the person to the page at this address.
    """

    github: GitHubApp
    vault: KeptInVault
    pages: str
    organisation: str
    webhook: str | None
    lead: Callable[[str], None]
    callback: str | None = None

    async def found(self, kind: AppKind) -> AppSeen | None:
        """The App whose key Vault has already; None where it has none.

        Raises:
            AuthDenied: GitHub refuses that key.
            ConnectorError: Anything else, by the tree.
        """
        kept = await self.vault.app(kind)
        if kept is None:
            return None
        try:
            async with as_app(self.github, kept.credentials) as session:
                return await session.itself()
        except AuthDenied as error:
            raise AuthDenied(
                f"Vault has a key of the {kind} App, and it is of no use: {error}. Give its App another by `banksman "
                f"github rotate-key {kind}`, or make another App by --anew {kind}"
            ) from error

    async def require_writable(self, kind: AppKind) -> None:
        """Make sure that what GitHub shows once can be kept.

        Raises:
            AuthDenied: Vault would refuse it.
            ConnectorError: Anything else, by the tree.
        """
        also = [*([WEBHOOK.path] if kind.events else []), *([SIGN_IN.path] if kind.signs_in and self.callback else [])]
        await self.vault.require_writable(kind.secret.path, *also)

    async def signs_in(self, kind: AppKind) -> bool:
        """Whether people will sign in to the console by the App that is made.

        Not where they do by another one already: that is not put out of use by the way.

        Raises:
            NotFound: What Vault keeps of it is no such thing.
            ConnectorError: Anything else, by the tree.
        """
        return kind.signs_in and self.callback is not None and await self.other_sign_in() is None

    async def other_sign_in(self) -> str | None:
        """The client id of another App that people sign in by; None where they do by the ordinary one, or by none.

        Raises:
            NotFound: What Vault keeps of it is no such thing.
            ConnectorError: Anything else, by the tree.
        """
        kept = await self.vault.sign_in()
        if kept is None:
            return None
        ordinary = await self.vault.app(AppKind.ORDINARY)
        ours = ordinary is not None and ordinary.credentials.client_id == kept.credentials.client_id
        return None if ours else kept.credentials.client_id

    async def by_page(self, kind: AppKind) -> MadeApp:
        """Make one at GitHub, by a page on this machine.

        Raises:
            ConnectorError: It was not made, or is not kept; the message says how to go on.
        """
        made: list[MadeApp] = []

        async def take(code: str) -> Told:
            made.append(await self.by_code(kind, code))
            words = ("Its key is in Vault and nowhere else. You can close this page; the terminal has the rest.",)
            return Told(title=f"{made[0].name} is made", words=words, link=(self.install(made[0]), "Install it"))

        callback = self.callback if await self.signs_in(kind) else None
        page = LocalPage(
            Errand(
                told=self._before(kind, callback),
                action=f"{self.pages}/organizations/{quote(self.organisation)}/settings/apps/new",
                manifest=lambda back: app_manifest(
                    kind,
                    self.organisation,
                    homepage=f"{self.pages}/{self.organisation}",
                    back=back,
                    webhook=self.webhook,
                    callback=callback,
                ),
                take=take,
            )
        )
        self.lead(page.address)
        await page.until_made()
        return made[0]

    async def by_code(self, kind: AppKind, code: str) -> MadeApp:
        """Take the App that a person made, and keep its key and what else GitHub shows of it this once.

        Raises:
            InvalidRequest: It is another organisation's.
            ConnectorError: By the tree; where it was made and not kept, the message says how to go on.
        """
        taking = asyncio.create_task(self._taken(kind, code))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # What GitHub shows once is kept, also where a person gives up just then.
            await taking
            raise

    async def _taken(self, kind: AppKind, code: str) -> MadeApp:
        app = await made_of_code(self.github, code)
        if app.owner.login.lower() != self.organisation.lower():
            raise InvalidRequest(
                f"the App {app.name!r} was made for {app.owner.login!r} and not for {self.organisation!r}: nothing of "
                f"it is kept; delete it at {self.settings(app)}"
            )
        signs_in = await self.signs_in(kind)  # by what Vault has before its key
        try:
            await self._keep(kind, app)
        except ConnectorError as error:
            raise OutcomeUnknown(
                f"the App {app.name!r} is made, and its key could not be kept: {error}. Generate a private key at "
                f"{self.settings(app)}, and give it to `banksman github rotate-key {kind} --client-id {app.client_id}`"
            ) from error
        if signs_in:
            await self._keep_sign_in(app)
        return app

    async def _keep_sign_in(self, app: MadeApp) -> None:
        try:
            await self.vault.keep_sign_in(app.sign_in(), after=await self.vault.sign_in())
        except ConnectorError as error:
            raise OutcomeUnknown(
                f"the App {app.name!r} is made and its key is in Vault, but its client secret could not be kept: "
                f"{error}. If people shall sign in to the console by it, generate a client secret at "
                f"{self.settings(app)}, and put it and the client id {app.client_id} into Vault at {SIGN_IN.path}"
            ) from error

    async def _keep(self, kind: AppKind, app: MadeApp) -> None:
        if kind.events and app.webhook_secret is not None:
            await self.vault.keep_webhook(app.webhook_secret, after=None)
        await self.vault.keep_app(kind, app.credentials(), after=None)

    def _before(self, kind: AppKind, callback: str | None) -> Told:
        heard = ", ".join(kind.events) or "nothing"
        return Told(
            title=f"Make the {kind} App of Banksman",
            rows=(
                ("For", self.organisation),
                ("It may", named(kind.permissions)),
                ("It is told of", heard),
                *((("Webhook", self.webhook),) if self.webhook and kind.events else ()),
                *((("People sign in at", callback),) if callback else ()),
            ),
            words=(
                "GitHub shows this once more and asks for a name. Only an owner of the organisation can make it.",
                f"Its private key{' and its client secret go' if callback else ' goes'} straight into Vault.",
            ),
        )

    def settings(self, app: AppSeen) -> str:
        """Where people change it."""
        return f"{self.pages}/organizations/{app.owner.login}/settings/apps/{app.slug}"

    def install(self, app: AppSeen) -> str:
        """Where people install it."""
        return f"{self.pages}/apps/{app.slug}/installations/new"
