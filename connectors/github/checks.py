"""Check runs of one repository: one for each key, made once and changed in its place.

GitHub has no idempotency keys. A check run carries one as its `external_id`, which any App can write: only our own
App's check runs count. Annotations cannot be taken back, and each request adds to those that are there: how many are
there already is what GitHub says, so that a try after a lost answer adds none twice.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from connectors.errors import Conflict, InvalidRequest, NotFound
from connectors.github.of_repository import OfRepository
from connectors.github.ours import OurApp
from connectors.github.shown import Action, Annotation, Conclusion, Status

MOST_TEXT: Final = 65_535
"""Of `summary` and of `text`, as GitHub says. It does not say of what: we count bytes, of which there are no fewer."""
MOST_ANNOTATIONS: Final = 50
"""In one request; more requests add to them."""
_MOST_PAGES: Final = 10
"""Of one name on one commit GitHub keeps a thousand."""


class WantedCheck(BaseModel):
    """How a check run shall be.

    Attributes:
        key: Its `external_id`.
        conclusion: Forces `completed`.
        annotations: All of them, in an order that never changes: those that GitHub has already are not sent again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    head_sha: str
    key: str
    status: Status
    conclusion: Conclusion | None = None
    title: str
    summary: str
    text: str = ""
    details_url: str | None = None
    actions: tuple[Action, ...] = Field(default=(), max_length=3)
    annotations: tuple[Annotation, ...] = ()

    def body(self, annotations: Sequence[Annotation]) -> dict[str, object]:
        """As GitHub takes it."""
        output: dict[str, object] = {"title": self.title, "summary": self.summary}
        output |= {"text": self.text} if self.text else {}
        remarks = [one.model_dump(exclude_none=True) for one in annotations]
        output |= {"annotations": remarks} if remarks else {}
        ends = {"conclusion": self.conclusion} if self.conclusion else {}
        where = {"details_url": self.details_url} if self.details_url else {}
        return {
            "name": self.name,
            "external_id": self.key,
            "status": "completed" if self.conclusion else self.status,
            "output": output,
            "actions": [one.model_dump() for one in self.actions],
            **ends,
            **where,
        }


class _Output(BaseModel):
    annotations_count: int = 0


class CheckThere(BaseModel):
    """A check run, as far as it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    html_url: str | None = None
    external_id: str | None = None
    app: OurApp | None = None
    output: _Output = _Output()

    @property
    def annotated(self) -> int:
        """How many annotations it has."""
        return self.output.annotations_count


class _Listed(BaseModel):
    check_runs: list[CheckThere]


def _listed(page: str) -> list[CheckThere]:
    return _Listed.model_validate_json(page).check_runs


class Checks(OfRepository):
    """Those of one repository, with the session's token.

    Args:
        api: GitHub's.
        repository: `OWNER/NAME`.
        app: Our App's client id.
    """

    async def put(self, wanted: WantedCheck, *, number: int | None) -> CheckThere:
        """Have a check run be as it is wanted: the one of that number, or the one of this key, or a new one.

        Raises:
            NotFound: The one of that number is gone.
            Conflict: It is another key's, or another App's.
            InvalidRequest: GitHub does not take it: there is no such commit.
            ConnectorError: By the tree.
        """
        there = await self._get(number, wanted.key) if number is not None else await self._find(wanted)
        sent = there.annotated if there is not None else 0
        while True:
            batch = wanted.annotations[sent : sent + MOST_ANNOTATIONS]
            there = await (self._create(wanted, batch) if there is None else self._change(there.id, wanted, batch))
            sent = max(there.annotated, sent + len(batch))
            if not batch or sent >= len(wanted.annotations):
                return there

    async def _find(self, wanted: WantedCheck) -> CheckThere | None:
        path = f"commits/{quote(wanted.head_sha, safe='')}/check-runs"
        what, query = f"the checks of {wanted.head_sha[:12]}", {"check_name": wanted.name, "filter": "all"}
        async for there in self._pages(what, path, _listed, query=query, most=_MOST_PAGES):
            ours = (one for one in there if one.external_id == wanted.key and self._is_ours(one.app))
            if (found := next(ours, None)) is not None:
                return found
        return None

    async def _get(self, number: int, key: str) -> CheckThere:
        try:
            found = await self._ask(f"check run {number}", f"check-runs/{number}", CheckThere.model_validate_json)
        except NotFound as error:
            text = (
                f"check run {number} of {self._name!r} is gone: a thousand newer ones pushed it out, or the commit went"
            )
            raise NotFound(text) from error
        if found.external_id != key or not self._is_ours(found.app):
            raise Conflict(f"check run {number} of {self._name!r} is somebody else's, and is left as it is")
        return found

    async def _create(self, wanted: WantedCheck, batch: Sequence[Annotation]) -> CheckThere:
        body = {**wanted.body(batch), "head_sha": wanted.head_sha}
        return await self._ask(
            f"check {wanted.name!r}", "check-runs", CheckThere.model_validate_json, body=body, content=True
        )

    async def _change(self, number: int, wanted: WantedCheck, batch: Sequence[Annotation]) -> CheckThere:
        return await self._ask(
            f"check run {number}",
            f"check-runs/{number}",
            CheckThere.model_validate_json,
            body=wanted.body(batch),
            changes_by="PATCH",
            content=True,
        )


def head(text: str, most: int = MOST_TEXT) -> str:
    """As much of the beginning as GitHub takes."""
    return _cut(text, most, text.encode()[: most - len(_MORE_BELOW.encode())].decode(errors="ignore") + _MORE_BELOW)


def tail(text: str, most: int = MOST_TEXT) -> str:
    """As much of the end as GitHub takes, from the start of a line."""
    kept = text.encode()[-(most - len(_MORE_ABOVE.encode())) :].decode(errors="ignore")
    return _cut(text, most, _MORE_ABOVE + kept.partition("\n")[2])


_MORE_ABOVE: Final = "… earlier lines are left out\n"
_MORE_BELOW: Final = "\n… and more"


def _cut(text: str, most: int, cut: str) -> str:
    return text if len(text.encode()) <= most else cut


def require_actions(actions: Sequence[Action]) -> None:
    """Go on where GitHub tells their buttons apart.

    Raises:
        InvalidRequest: Two have one identifier.
    """
    if len({one.identifier for one in actions}) != len(actions):
        raise InvalidRequest("two actions of a check run have one identifier: give each its own")
