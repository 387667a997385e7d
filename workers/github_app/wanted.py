"""What each of our two Apps must be: derived from what steps ask for, and from what the gateway listens to."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from connectors.github.manifest import APP, DESTRUCTIVE_APP
from connectors.github.permissions import of_app, together
from connectors.provider import Secret
from hitl.github.events import LISTENED_TO

_LONGEST_NAME: Final = 34
"""Characters of an App's name."""
_EVENTS_NEED: Final[Mapping[str, Mapping[str, str]]] = {
    "check_run": {"checks": "read"},
    "issue_comment": {"issues": "read", "pull_requests": "read"},
    "issues": {"issues": "read"},
    "pull_request": {"pull_requests": "read"},
    "pull_request_review": {"pull_requests": "read"},
    "pull_request_review_comment": {"pull_requests": "read"},
    "push": {"contents": "read"},
    "repository": {"metadata": "read"},
}
"""Which permissions GitHub wants for an event."""
_LOGIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")


class AppKind(StrEnum):
    """Which App."""

    ORDINARY = "ordinary"
    """Reads and writes, and is told of what happens."""
    DESTRUCTIVE = "destructive"
    """Deletes and merges, and hears nothing."""

    @property
    def secret(self) -> Secret:
        """Where Vault keeps its key."""
        return APP if self is AppKind.ORDINARY else DESTRUCTIVE_APP

    @property
    def events(self) -> tuple[str, ...]:
        """What it must be told of, besides what GitHub tells every App."""
        return tuple(sorted(LISTENED_TO)) if self is AppKind.ORDINARY else ()

    @property
    def signs_in(self) -> bool:
        """Whether people may sign in by it: never by what deletes and merges."""
        return self is AppKind.ORDINARY

    @property
    def permissions(self) -> dict[str, str]:
        """What it must be granted."""
        return together(of_app(self.secret), *(_EVENTS_NEED[one] for one in self.events))


def is_login(name: str) -> bool:
    """Whether an organisation can have this name."""
    return _LOGIN.fullmatch(name) is not None


def app_manifest(  # noqa: PLR0913 - each is a part of the manifest
    kind: AppKind, organisation: str, *, homepage: str, back: str, webhook: str | None, callback: str | None = None
) -> dict[str, object]:
    """The manifest that GitHub makes the App of.

    Args:
        kind: Which App.
        organisation: Whose it will be.
        homepage: What its page links to.
        back: Where GitHub sends the browser with a code.
        webhook: Where the ordinary App's events go.
        callback: Where GitHub sends people back to who sign in by the ordinary App; None where nobody does.
    """
    hook = {"hook_attributes": {"url": webhook, "active": True}} if webhook and kind.events else {}
    signs_in = {"callback_urls": [callback]} if callback and kind.signs_in else {}
    return {
        "name": _name(kind, organisation),
        "description": "Nothing heavy moves until a person signals."
        if kind is AppKind.ORDINARY
        else "Deletes and merges what people approved.",
        "url": homepage,
        "redirect_url": back,
        "public": False,
        "default_permissions": kind.permissions,
        "default_events": list(kind.events),
        **hook,
        **signs_in,
    }


def _name(kind: AppKind, organisation: str) -> str:
    """App names are unique in all of GitHub; on its page a person may choose another."""
    rest = "" if kind is AppKind.ORDINARY else f"-{kind}"
    return f"banksman-{organisation}"[: _LONGEST_NAME - len(rest)] + rest
