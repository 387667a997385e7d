"""How a step has something tried or published: a draft of its own, a publication of it, and a look until it has ended.

Both are marked with the goal's run and with what they hold, so that whoever comes after a lost answer, another attempt
or a goal that parked meanwhile, finds them and makes no second. A draft is thrown away at the end; Estuary itself
throws away one that was published.
"""

import asyncio
import hashlib
import itertools
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from pydantic import JsonValue
from temporalio import activity

from connectors.creation import Created, Creation, Sleep, create_once, mark
from connectors.errors import Conflict, ConnectorError, MalformedAnswer, Unavailable
from connectors.estuary.client import Account
from connectors.estuary.models import (
    CHANGED,
    PASSING,
    QUEUED,
    SUCCESS,
    Draft,
    LockFailure,
    NewPublication,
    Publication,
    SpecType,
    StagedSpec,
)
from observability.redaction import redact

Resource = TypeVar("Resource")

_SHOWS_WITHIN: Final = timedelta(seconds=5)
"""The tables are read where they are written; what may still come is a request that is on its way."""

_PATIENCE: Final = timedelta(minutes=4)
"""So long one attempt waits for a publication; the next one finds it."""

_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(seconds=5)
_TRIES: Final = 3
"""Publications that one attempt makes where Estuary asks to try once more."""

_LOGGED: Final = 20
_LONGEST_LINE: Final = 500
_MOST_PROBLEMS: Final = 20


async def _nothing() -> None:
    """Nobody has to look once more before what deletes nothing."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One specification of a draft; without a type it is deleted."""

    name: str
    type: SpecType | None = None
    model: JsonValue = None
    expect: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is tried or published.

    Attributes:
        rows: All of it.
        dry_run: Whether it is tried alone.
        data_plane: Where new tasks run.
        last_look: Called right before it is published; raises where it must not be.
    """

    rows: tuple[Row, ...]
    dry_run: bool
    data_plane: str | None = None
    last_look: Callable[[], Awaitable[None]] = _nothing

    @property
    def digest(self) -> str:
        """Of all that makes two publications different ones."""
        told = [[one.name, one.type, one.model, one.expect] for one in self.rows]
        text = json.dumps([told, self.dry_run, self.data_plane], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a publication ended, in Estuary's word, and what was said of it."""

    how: str
    publication: str | None
    problems: tuple[str, ...]
    log: tuple[str, ...]


async def carried_out(account: Account, wanted: Wanted, *, sleep: Sleep = asyncio.sleep) -> Ended:
    """Have it tried or published, once, and wait until it has ended.

    Raises:
        Conflict: Something else is live than was expected. Nothing was published.
        Unavailable: It has not ended yet, or Estuary asks to try later.
        ConnectorError: By the tree.
    """
    ended = await _finished(account, wanted, sleep)
    told = await _told(account, ended)
    if ended.job_status.type != SUCCESS or wanted.dry_run:
        await account.delete_draft(ended.draft_id)
    if ended.job_status.type == CHANGED:
        raise Conflict(_changed(ended.job_status.failures))
    return told


async def _finished(account: Account, wanted: Wanted, sleep: Sleep) -> Publication:
    """The last of its publications, where Estuary asked to try once more."""
    part, made = f"{activity.info().workflow_run_id}/{wanted.digest}", 0
    for number in itertools.count():
        created = await _once(_publishing(account, wanted, part, sleep), f"{part}/{number}", sleep)
        made += not created.adopted
        ended = await _ended(account, created.resource, sleep)
        if ended.job_status.type not in PASSING:
            return ended
        if made >= _TRIES:
            break
    raise Unavailable(f"Estuary put off {made} publications, as somebody else's were under way; it is tried again")


def _publishing(account: Account, wanted: Wanted, part: str, sleep: Sleep) -> Creation[Publication]:
    async def create(marked: str) -> Publication:
        draft = (await _once(_drafting(account), f"{part}/draft", sleep)).resource
        try:
            await account.stage([_staged(one, draft) for one in wanted.rows])
            held, names = await account.staged(draft.id), {one.name for one in wanted.rows}
            if others := sorted(held - names):
                listed = ", ".join(map(repr, others))
                raise Conflict(f"the draft {draft.id!r} holds {listed} as well: somebody put it there")
            if held != names:
                raise MalformedAnswer(
                    f"Estuary said that the draft {draft.id!r} was written, and it was not; tried again"
                )
            await wanted.last_look()
        except ConnectorError:
            await account.delete_draft(draft.id)
            raise
        return await account.publish(
            NewPublication(
                draft_id=draft.id, dry_run=wanted.dry_run, detail=_detail(marked), data_plane_name=wanted.data_plane
            )
        )

    return Creation(
        what="a dry run at Estuary" if wanted.dry_run else "a publication at Estuary",
        find=lambda marked: account.publications(_detail(marked)),
        create=create,
        id_of=lambda one: one.id,
        shows_within=_SHOWS_WITHIN,
    )


def _drafting(account: Account) -> Creation[Draft]:
    return Creation(
        what="a draft at Estuary",
        find=lambda marked: account.drafts(_detail(marked)),
        create=lambda marked: account.create_draft(_detail(marked)),
        id_of=lambda one: one.id,
        shows_within=_SHOWS_WITHIN,
    )


async def _once(creation: Creation[Resource], part: str, sleep: Sleep) -> Created[Resource]:
    """As `created_for_step`, by the clock that the whole step waits by."""
    info = activity.info()
    return await create_once(creation, mark(info.workflow_id or "", part), again=info.attempt > 1, sleep=sleep)


def _detail(marked: str) -> str:
    """What people read of it at Estuary, and what it is found by."""
    return f"{marked} of {activity.info().workflow_id}"


def _staged(row: Row, draft: Draft) -> StagedSpec:
    return StagedSpec(
        draft_id=draft.id,
        catalog_name=row.name,
        spec_type=row.type,
        spec=row.model,
        expect_pub_id=row.expect,
    )


async def _ended(account: Account, publication: Publication, sleep: Sleep) -> Publication:
    waited, pause = timedelta(), _PAUSE
    while publication.job_status.type == QUEUED:
        if waited >= _PATIENCE:
            raise Unavailable(
                f"the publication {publication.id!r} is still queued at Estuary after {waited.seconds} s; it is looked "
                "at again"
            )
        await sleep(pause.total_seconds())
        waited, pause = waited + pause, min(pause * 1.5, _LONGEST_PAUSE)
        publication = await account.publication(publication.id)
    return publication


async def _told(account: Account, ended: Publication) -> Ended:
    """Whatever strangers said is redacted and cut before it goes on into a history."""
    good = ended.job_status.type == SUCCESS
    errors = () if good else await account.errors(ended.draft_id)
    lines = (await account.logs(ended))[-_LOGGED:]
    return Ended(
        how=ended.job_status.type,
        publication=ended.pub_id if good else None,
        problems=_cut(f"{one.scope}: {one.detail}" if one.scope else one.detail for one in errors[:_MOST_PROBLEMS]),
        log=_cut(one.log_line for one in lines),
    )


def _cut(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(redact.head(one, _LONGEST_LINE) for one in lines)


def _changed(failures: Sequence[LockFailure]) -> str:
    names = ", ".join(repr(one.catalog_name) for one in failures) or "something"
    return f"somebody published {names} since it was planned: nothing was published"
