"""Questions about one repository, and the words for what may go wrong with each."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from connectors.github.api import Api, Question
from connectors.github.ours import OurApp

T = TypeVar("T")


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
