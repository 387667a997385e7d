"""Questions about one repository, and the words for what may go wrong with each."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, TypeVar

from connectors.github.api import Api, Question
from connectors.github.ours import OurApp

T = TypeVar("T")
PAGE: Final = 100
"""Things on one page of a list: as many as GitHub gives."""


class OfRepository:
    """Whatever asks about one repository, with the session's token.

    Args:
        api: GitHub's.
        repository: `OWNER/NAME`.
        app: Our App's client id, where what it wrote itself has to be told from what others did.
    """

    def __init__(self, api: Api, repository: str, app: str = "") -> None:
        self._api = api
        self._name = repository
        self._app = app

    def _is_ours(self, app: OurApp | None) -> bool:
        """Whether our own App wrote what GitHub names this one beside."""
        return app is not None and app.is_called(self._app)

    async def _ask(  # noqa: PLR0913 - each is a fact of one question
        self,
        what: str,
        path: str,
        parse: Callable[[str], T],
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        changes_by: str = "POST",
        content: bool = False,
    ) -> T:
        """Ask below the repository's own address.

        Args:
            what: What is asked for, as an error names it.
            path: Below the repository; already quoted.
            parse: Reads the answer.
            body: What is sent; without it nothing is changed, but by DELETE.
            query: After the path.
            changes_by: The method, where something is sent.
            content: Makes or changes what people read, of which GitHub takes only so much in a while.

        Raises:
            ConnectorError: By the tree.
        """
        question = Question(
            what=f"{what} of {self._name!r}",
            path=f"/repos/{self._name}/{path}".rstrip("/"),
            method="GET" if body is None and changes_by != "DELETE" else changes_by,
            body=body,
            query=query or {},
            content=content,
            missing=f"{self._name!r} has no {what.removeprefix('the ')}",
            denied=f"GitHub refuses our token on {self._name!r}: grant the App the permission it lacks",
            unauthorized=f"GitHub's token for {self._name!r} ended before the step did: run it again",
        )
        return await self._api.ask(question, parse)

    async def _pages(
        self,
        what: str,
        path: str,
        parse: Callable[[str], Sequence[T]],
        *,
        query: Mapping[str, str] | None = None,
        most: int | None = None,
    ) -> AsyncIterator[Sequence[T]]:
        """A list, page by page, until one is not full.

        Args:
            what: As in `_ask`.
            path: As there.
            parse: Reads a page.
            query: What is asked for besides pages.
            most: Pages at most; all when left out.

        Raises:
            ConnectorError: By the tree.
        """
        for page in itertools.count(1):
            asked = {**(query or {}), "per_page": str(PAGE), "page": str(page)}
            there = await self._ask(what, path, parse, query=asked)
            yield there
            if len(there) < PAGE or page == most:
                return
