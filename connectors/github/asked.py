"""What people asked for in one repository, in their own words: an issue, a pull request with its diff.

Every text here is a stranger's. Nothing is read of it but what GitHub itself says: who wrote it, and where.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from connectors.github.of_repository import PAGE, OfRepository
from connectors.github.pulls import Pull

MOST_FILES: Final = 300
"""Of one diff; GitHub itself tells 3000 at most."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Writer(_Answer):
    """Who wrote it."""

    login: str


class AboutRepository(_Answer):
    """What decides on who may be told of it."""

    default_branch: str
    private: bool
    archived: bool = False
    fork: bool = False


class Issue(_Answer):
    """An issue; a pull request is one as well."""

    number: int
    html_url: str
    state: str
    title: str
    body: str | None = None
    user: Writer | None = None
    pull_request: dict[str, object] | None = Field(default=None, description="Whether it is a pull request.")


class PullAsked(Pull):
    """A pull request with its words."""

    body: str | None = None


class DiffFile(_Answer):
    """One file of a diff."""

    filename: str
    status: Literal["added", "removed", "modified", "renamed", "copied", "changed", "unchanged"]
    additions: int
    deletions: int
    previous_filename: str | None = Field(default=None, description="Where it was, of one that was moved.")
    patch: str | None = Field(default=None, description="Its hunks; none where it is no text, or too large.")


_FILES: Final = TypeAdapter(list[DiffFile])


class Asked(OfRepository):
    """The words of one repository, with the session's token."""

    async def about(self) -> AboutRepository:
        """The repository itself.

        Raises:
            ConnectorError: By the tree.
        """
        return await self._ask("the description", "", AboutRepository.model_validate_json)

    async def issue(self, number: int) -> Issue:
        """One issue.

        Raises:
            NotFound: There is none.
            ConnectorError: By the tree.
        """
        return await self._ask(f"issue #{number}", f"issues/{number}", Issue.model_validate_json)

    async def pull(self, number: int) -> PullAsked:
        """One pull request, with its words.

        Raises:
            NotFound: There is none.
            ConnectorError: By the tree.
        """
        return await self._ask(f"pull request #{number}", f"pulls/{number}", PullAsked.model_validate_json)

    async def files(self, number: int, *, most: int = MOST_FILES) -> tuple[list[DiffFile], bool]:
        """What a pull request changes, and whether some may be left out.

        Args:
            number: Of the pull request.
            most: As many are looked at, in pages of 100.

        Raises:
            ConnectorError: By the tree.
        """
        found: list[DiffFile] = []
        what, path = f"the files of #{number}", f"pulls/{number}/files"
        async for there in self._pages(what, path, _FILES.validate_json, most=most // PAGE):
            found += there
        return found, len(found) >= most
