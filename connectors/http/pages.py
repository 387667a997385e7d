"""Answers that come in pages: by a cursor, by a number, or by a link in the header. A list that does not end does."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx

from connectors.errors import MalformedAnswer
from connectors.http.api import Answered, Session
from connectors.http.operation import Call

Page = TypeVar("Page")
Following = Callable[[Call[Page], Answered[Page]], Call[Page] | None]
"""The call for the next page; None after the last one."""

MOST_PAGES: Final = 1_000
"""A provider that gives more of them gives the same ones again."""


async def pages(
    session: Session, first: Call[Page], following: Following[Page], *, most: int = MOST_PAGES
) -> AsyncGenerator[Page]:
    """Each page, asked for when it is wanted.

    Args:
        session: Asks.
        first: The call for the first page.
        following: How the next one is found: `by_cursor`, `by_number` or `by_link`.
        most: How many pages are read.

    Raises:
        MalformedAnswer: There are more, or a page names itself as the next one: the list is not to be trusted.
        ConnectorError: As `Session.ask`.
    """
    call = first
    for _ in range(most):
        answered = await session.exchange(call)
        yield answered.read
        after = following(call, answered)
        if after is None:
            return
        if (after.query, after.body) == (call.query, call.body):
            raise MalformedAnswer(f"the list of {first.what} leads back to the page that was just read")
        call = after
    raise MalformedAnswer(f"the list of {first.what} has more than {most} pages: it is not read on")


def by_cursor(read: Callable[[Page], str | None], *, parameter: str = "cursor") -> Following[Page]:
    """Pages that name the next one.

    Args:
        read: The cursor in a page; None or empty in the last one.
        parameter: Of the query, that takes it.
    """

    def following(call: Call[Page], answered: Answered[Page]) -> Call[Page] | None:
        cursor = read(answered.read)
        return replace(call, query={**call.query, parameter: cursor}) if cursor else None

    return following


def by_number(full: Callable[[Page], bool], *, parameter: str = "page", first: int = 1) -> Following[Page]:
    """Pages by their number.

    Args:
        full: Whether a page is so full that there may be another.
        parameter: Of the query, that takes the number.
        first: The number of the first page, which need not be asked for by it.
    """

    def following(call: Call[Page], answered: Answered[Page]) -> Call[Page] | None:
        number = int(call.query.get(parameter, first)) + 1
        return replace(call, query={**call.query, parameter: str(number)}) if full(answered.read) else None

    return following


def by_link(call: Call[Page], answered: Answered[Page]) -> Call[Page] | None:
    """Pages with a header `Link` to the next one.

    Only the link's query is taken: wherever it leads, the credential goes to where it went before.
    """
    link = httpx.Response(httpx.codes.OK, headers=answered.headers).links.get("next", {}).get("url", "")
    return replace(call, query=dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))) if link else None
