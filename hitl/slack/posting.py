"""A message is posted once, however often it is tried: it is looked for only where a try before may have posted it.

Slack knows no key by which a second post would be the same. What tells is how the try before ended. One that Slack
refused, for its rate or because it could not be reached, posted nothing; of one whose answer was lost, or whose worker
died, nobody knows. A try that fails leaves that in its heartbeat details, which Temporal keeps for the next one. One
that says nothing died, and is in doubt.
"""

import time
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio import activity

from connectors.errors import ConnectorError, RateLimited
from hitl.slack.blocks import Shown
from hitl.slack.client import Look, NotSent, SlackMessages

_SURELY_NOT: Final = (RateLimited, NotSent)


class _Note(BaseModel):
    """What a try that failed leaves for the next one.

    Attributes:
        attempt: Whose note it is. A try that died leaves the note of one before it, which says nothing of it.
        since: From when on a message may have been posted, in seconds since 1970; None where surely none was.
        cursor: How far it was looked for.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int
    since: float | None = None
    cursor: str = ""


def doubts(*, first: bool, since: datetime) -> Look | None:
    """What may have been posted before this try, as a search for it; None where surely nothing was.

    Args:
        first: Nobody posted it before this step.
        since: Nobody can have posted it before this moment.
    """
    attempt = activity.info().attempt
    if attempt == 1:
        return None if first else Look(since=since.timestamp())
    note = _note_of_the_one_before(attempt)
    if note is None:
        return Look(since=since.timestamp())
    return None if note.since is None else Look(since=note.since, cursor=note.cursor)


async def post_once(  # noqa: PLR0913 - a message, where, and what is known of it
    messages: SlackMessages, channel: str, shown: Shown, *, about: str, kind: str, doubt: Look | None
) -> str:
    """Post it, or find it where it may be there; its timestamp is its name.

    Args:
        messages: Of Slack.
        channel: Where.
        shown: What.
        about: By which it is found.
        kind: Of messages, as their metadata call it.
        doubt: As `doubts` tells.

    Raises:
        ConnectorError: By Slack's errors.
    """
    if doubt is not None:
        try:
            there = await messages.find(channel, about, since=doubt, kind=kind)
        except ConnectorError:
            _leave(since=doubt.since, cursor=doubt.cursor)
            raise
        if there is not None:
            return there.ts
    sent = time.time()
    try:
        return await messages.post(channel, shown)
    except ConnectorError as error:
        _leave(since=None if isinstance(error, _SURELY_NOT) else sent)
        raise


def _leave(*, since: float | None, cursor: str = "") -> None:
    note = _Note(attempt=activity.info().attempt, since=since, cursor=cursor)
    activity.heartbeat(note.model_dump(mode="json"))


def _note_of_the_one_before(attempt: int) -> _Note | None:
    for left in activity.info().heartbeat_details[:1]:
        try:
            note = _Note.model_validate(left)
        except ValidationError:  # of another release
            return None
        return note if note.attempt == attempt - 1 else None
    return None
