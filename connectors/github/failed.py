"""What GitHub could not deliver to us: it lists each attempt for three days, and never tries again by itself."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter

from connectors.github.api import Api, Question
from connectors.github.client import KEY_REFUSED
from connectors.github.registration import DeliverySeen

PAGE: Final = 100
"""As many as GitHub gives at once."""

MOST_PAGES: Final = 20
_NEXT: Final = re.compile(r'<([^<>]+)>;\s*rel="next"')
_NO_HOOK: Final = "the GitHub App has no webhook, or GitHub keeps this delivery no more"
_DELIVERIES: Final = TypeAdapter(list[DeliverySeen])


@dataclass(frozen=True)
class Failed:
    """What GitHub says of failed attempts.

    Args:
        api: Asks as the App itself.
    """

    api: Api

    async def since(self, moment: datetime) -> list[DeliverySeen]:
        """Attempts that failed since then, the newest first; the first two thousand.

        Raises:
            NotFound: The App has no webhook.
            ConnectorError: Anything else, by the tree.
        """
        found: list[DeliverySeen] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            query = {"status": "failure"} | ({"cursor": cursor} if cursor else {})
            told, cursor = await self._page(query)
            found += [one for one in told if one.delivered_at >= moment]
            if cursor is None or not told or told[-1].delivered_at < moment:
                break
        return found

    async def is_sent_again(self, delivery: int, guid: str) -> bool:
        """Whether an attempt was made since that one, among the newest hundred of all.

        Raises:
            ConnectorError: By the tree.
        """
        told, _ = await self._page({})
        return any(one.guid == guid and one.redelivery and one.id > delivery for one in told)

    async def send_again(self, delivery: int) -> None:
        """Have GitHub make another attempt.

        Raises:
            NotFound: GitHub keeps this delivery no more.
            ConnectorError: Anything else, by the tree.
        """
        path = f"/app/hook/deliveries/{delivery}/attempts"
        await self.api.ask(_about("another attempt of a delivery", path, method="POST"), str)

    async def _page(self, query: dict[str, str]) -> tuple[list[DeliverySeen], str | None]:
        asked = _about("what was delivered", "/app/hook/deliveries", query={"per_page": str(PAGE), **query})
        told, around = await self.api.ask_around(asked, _DELIVERIES.validate_json)
        return told, _cursor(around.link)


def _cursor(link: str) -> str | None:
    """Of the next page, from the header that names it."""
    if (found := _NEXT.search(link)) is None:
        return None
    return next(iter(parse_qs(urlsplit(found[1]).query).get("cursor", [])), None)


def _about(what: str, path: str, *, method: str = "GET", query: dict[str, str] | None = None) -> Question:
    return Question(
        what=what,
        path=path,
        method=method,
        query=query or {},
        missing=_NO_HOOK,
        denied=f"GitHub refuses {what} to the App",
        unauthorized=KEY_REFUSED,
    )
