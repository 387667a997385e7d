"""What is missing of our Apps at GitHub and in Vault, each with its way out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from connectors.errors import AuthDenied, NotFound
from connectors.github.client import GitHubApp
from connectors.github.permissions import missing, named
from connectors.github.registration import AppSeen, AppSession, DeliverySeen, HookSeen, InstallationSeen, as_app
from workers.github_app.kept import KeptApp, KeptInVault
from workers.github_app.wanted import AppKind

_GOOD: Final = range(200, 300)


class Finding(BaseModel):
    """One thing that was looked at.

    Attributes:
        app: Of which App it is.
        what: In one word or two.
        ok: Whether it is as it must be.
        says: How it is.
        way_out: What a person does about it; empty where nothing is to be done.
    """

    model_config = ConfigDict(frozen=True)

    app: AppKind
    what: str
    ok: bool
    says: str
    way_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An App as GitHub and Vault have it.

    Attributes:
        hook: None where it has no webhook.
    """

    kept: KeptApp
    itself: AppSeen
    installations: list[InstallationSeen]
    hook: HookSeen | None
    deliveries: list[DeliverySeen]


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look at both Apps.

    Attributes:
        pages: Where people see GitHub.
        webhook: Where the ordinary App's events must go; None where nobody said.
    """

    github: GitHubApp
    vault: KeptInVault
    pages: str
    webhook: str | None = None

    async def all(self, *kinds: AppKind) -> list[Finding]:
        """Everything that was found, what is in order too.

        Args:
            kinds: Which Apps; both when left out.

        Raises:
            ConnectorError: Vault or GitHub cannot be asked.
        """
        found: list[Finding] = []
        seen: dict[AppKind, Seen] = {}
        for kind in kinds or AppKind:
            one = await self._seen(kind)
            if isinstance(one, Finding):
                found.append(one)
                continue
            seen[kind] = one
            found += self._of_app(kind, one)
            if kind.events:
                found += [*self._of_hook(kind, one), *await self._of_secret(kind), *_of_deliveries(kind, one)]
            if kind.signs_in:
                found += await self._of_sign_in(kind, one)
        return [*found, *_apart(seen)]

    async def _seen(self, kind: AppKind) -> Seen | Finding:
        kept = await self.vault.app(kind)
        if kept is None:
            return Finding(
                app=kind,
                what="key",
                ok=False,
                says=f"Vault has no key at {kind.secret.path}",
                way_out="banksman github setup ORGANISATION",
            )
        try:
            async with as_app(self.github, kept.credentials) as session:
                return Seen(
                    kept=kept,
                    itself=await session.itself(),
                    installations=await session.installations(),
                    hook=await _hook(session) if kind.events else None,
                    deliveries=await _deliveries(session) if kind.events else [],
                )
        except AuthDenied as error:
            return Finding(
                app=kind, what="key", ok=False, says=str(error), way_out=f"banksman github rotate-key {kind}"
            )

    def _of_app(self, kind: AppKind, seen: Seen) -> Iterator[Finding]:
        app, settings = seen.itself, self._settings(seen.itself)
        yield Finding(app=kind, what="key", ok=True, says=f"GitHub takes it, and knows it as {app.name!r}")
        if seen.kept.previous is not None:
            yield Finding(
                app=kind,
                what="former key",
                ok=False,
                says="Vault still has the key before this one",
                way_out=f"delete it at {settings}, then banksman github rotate-key {kind}",
            )
        if lacking := missing(app.permissions, kind.permissions):
            yield Finding(
                app=kind,
                what="permissions",
                ok=False,
                says=f"the App lacks {named(lacking)}",
                way_out=f"grant it at {settings}/permissions, and accept it where the App is installed",
            )
        else:
            more = missing(kind.permissions, app.permissions)
            says = f"all that this release needs, and more: {named(more)}" if more else "what this release needs"
            yield Finding(app=kind, what="permissions", ok=True, says=says)
        if unheard := sorted({*kind.events} - {*app.events}):
            yield Finding(
                app=kind,
                what="events",
                ok=False,
                says=f"the App is not told of {', '.join(unheard)}",
                way_out=f"subscribe to it at {settings}/permissions",
            )
        elif kind.events:
            yield Finding(app=kind, what="events", ok=True, says=", ".join(kind.events))
        yield from self._of_installations(kind, seen)

    def _of_installations(self, kind: AppKind, seen: Seen) -> Iterator[Finding]:
        if not seen.installations:
            yield Finding(
                app=kind,
                what="installation",
                ok=False,
                says="the App is installed nowhere",
                way_out=f"{self.pages}/apps/{seen.itself.slug}/installations/new",
            )
        for one in seen.installations:
            lacking = missing(one.permissions, _held_to(kind, seen.itself))
            if one.suspended_at is not None:
                says, way_out = "is suspended", f"unsuspend it at {one.html_url}"
            elif lacking:
                says, way_out = f"has not accepted {named(lacking)}", f"accept it at {one.html_url}"
            else:
                says, way_out = "is as it must be", ""
            name = one.account.login
            yield Finding(
                app=kind, what="installation", ok=not way_out, says=f"that on {name!r} {says}", way_out=way_out
            )

    def _of_hook(self, kind: AppKind, seen: Seen) -> Iterator[Finding]:
        hook, settings = seen.hook, self._settings(seen.itself)
        if hook is None:
            yield Finding(
                app=kind, what="webhook", ok=False, says="the App has none", way_out=f"activate one at {settings}"
            )
            return
        wrong = [
            *([f"it goes to {hook.url}"] if self.webhook is not None and hook.url != self.webhook else []),
            *(["it is sent as a form"] if hook.content_type != "json" else []),
            *(["GitHub would believe any certificate"] if str(hook.insecure_ssl) != "0" else []),
            *([] if hook.secret else ["it is not signed"]),
        ]
        if wrong:
            wanted = f" {self.webhook}," if self.webhook else ""
            yield Finding(
                app=kind,
                what="webhook",
                ok=False,
                says="; ".join(wrong),
                way_out=f"at {settings} let it be{wanted} application/json, with SSL verification and a secret",
            )
        else:
            yield Finding(app=kind, what="webhook", ok=True, says=f"goes to {hook.url}")

    async def _of_secret(self, kind: AppKind) -> list[Finding]:
        kept = await self.vault.webhook()
        rotate = "banksman github rotate-webhook"
        if kept is None:
            says = "Vault has nothing to verify webhooks by"
        elif kept.previous is not None:
            says, rotate = "two are good: a change is under way", f"{rotate} goes on with it"
        else:
            return [Finding(app=kind, what="webhook secret", ok=True, says="one is good")]
        return [Finding(app=kind, what="webhook secret", ok=False, says=says, way_out=rotate)]

    async def _of_sign_in(self, kind: AppKind, seen: Seen) -> list[Finding]:
        """Which App people sign in to the console by; a console may well do without."""
        kept = await self.vault.sign_in()
        if kept is None:
            return []
        ours = kept.credentials.client_id == seen.kept.credentials.client_id
        says = "people can sign in to the console by it" if ours else f"is another App's, {kept.credentials.client_id}"
        return [Finding(app=kind, what="sign-in", ok=True, says=says)]

    def _settings(self, app: AppSeen) -> str:
        return f"{self.pages}/organizations/{app.owner.login}/settings/apps/{app.slug}"


def _held_to(kind: AppKind, app: AppSeen) -> dict[str, str]:
    """What an installation can be held to: what the App itself does not lack already."""
    lacking = missing(app.permissions, kind.permissions)
    return {name: level for name, level in kind.permissions.items() if name not in lacking}


def _of_deliveries(kind: AppKind, seen: Seen) -> Iterator[Finding]:
    if not seen.deliveries:
        return
    newest = max(seen.deliveries, key=lambda one: one.delivered_at)
    ok = newest.status_code in _GOOD
    answered = f"was answered with {newest.status_code}" if newest.status_code else "reached nobody"
    yield Finding(
        app=kind,
        what="deliveries",
        ok=ok,
        says=f"the newest, {newest.event!r} at {newest.delivered_at:%Y-%m-%d %H:%M} UTC, {answered}",
        way_out="" if ok else "see whether the gateway runs and is reached at that address",
    )


def _apart(seen: dict[AppKind, Seen]) -> Iterator[Finding]:
    if len(seen) == len(AppKind) and len({one.itself.id for one in seen.values()}) == 1:
        yield Finding(
            app=AppKind.DESTRUCTIVE,
            what="App",
            ok=False,
            says="it is the ordinary App: with that, whoever may write may delete",
            way_out="banksman github setup ORGANISATION --anew destructive",
        )


async def _hook(session: AppSession) -> HookSeen | None:
    try:
        return await session.hook()
    except NotFound:
        return None


async def _deliveries(session: AppSession) -> list[DeliverySeen]:
    try:
        return await session.deliveries()
    except NotFound:
        return []
