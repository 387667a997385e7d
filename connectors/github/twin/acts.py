"""What people do at the twin, whom it has no forms for: `POST /_github/acts` with what they do, and as whom."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from connectors.github.bare import iso
from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.merging import Merge
from connectors.github.twin.pulls import Comment, Pull, Review, review
from connectors.github.twin.review_comments import LineSaid, commented, first_of, replied, require_shown
from connectors.github.twin.writes import Kept, KeptIssue

Thing = TypeVar("Thing")


class _Act(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    person: str


class Opens(_Act):
    """They open an issue."""

    act: Literal["issue"]
    title: str
    body: str = ""


class Says(_Act):
    """They comment on a pull request or an issue."""

    act: Literal["comment"]
    number: int
    body: str


class SaysOnLine(_Act):
    """They comment on a line of a pull request, or reply to a comment on one."""

    act: Literal["review_comment"]
    number: int
    body: str
    path: str = ""
    line: int = 0
    reply_to: int | None = None


class Judges(_Act):
    """They review a pull request as a whole."""

    act: Literal["review"]
    number: int
    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"]
    body: str = ""


class Edits(_Act):
    """They change a comment of theirs."""

    act: Literal["edit"]
    comment: int
    body: str


class Labels(_Act):
    """They put a label on an issue or a pull request."""

    act: Literal["label"]
    number: int
    label: str


class Closes(_Act):
    """They close an issue or a pull request."""

    act: Literal["close"]
    number: int


class Merges(_Act):
    """They merge a pull request, where that can be."""

    act: Literal["merge"]
    number: int
    method: Literal["merge", "squash", "rebase"] = "merge"


class Presses(_Act):
    """They press a button of a check run; without one, *Re-run*."""

    act: Literal["press"]
    check: int
    action: str | None = None


class Drops(_Act):
    """They have a check run deleted: GitHub does so by itself where a suite has more than a thousand."""

    act: Literal["drop"]
    check: int


class Renames(_Act):
    """They give the repository another name."""

    act: Literal["rename"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class Transfers(_Act):
    """They give it to another owner."""

    act: Literal["transfer"]
    to: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]


class Archives(_Act):
    """They archive it: from then on it is only read."""

    act: Literal["archive"]


Act = Opens | Says | SaysOnLine | Judges | Edits | Labels | Closes | Merges | Presses | Drops
"""What is done within a repository."""
Moved = Renames | Transfers | Archives
"""What is done with one."""
ACT: Final[TypeAdapter[Act | Moved]] = TypeAdapter(Annotated[Act | Moved, Field(discriminator="act")])


class NoSuchThing(Exception):
    """What somebody would act on is not there."""


@dataclass(frozen=True)
class Acts:
    """Carries them out.

    Attributes:
        kept: What a repository has besides git.
        merged: Merges a pull request; the commit that came of it.
        heads: Where both branches of a pull request stand: its own, and the one that it goes into.
        clock: Seconds since the epoch.
    """

    kept: Callable[[Place], Kept]
    merged: Callable[[Place, Pull, Merge], Awaitable[str]]
    heads: Callable[[Place, Pull], Awaitable[tuple[str, str]]]
    clock: Callable[[], float]

    async def done(self, place: Place, act: Act) -> Json:
        """What becomes of it.

        Raises:
            NoSuchThing: What it is about is not there.
            Problem: GitHub would not let them.
        """
        kept, now = self.kept(place), iso(self.clock())
        match act:
            case Opens():
                issue = KeptIssue(number=kept.next_number(), title=act.title, body=act.body, at=now, writer=act.person)
                kept.issues.append(issue)
                return {"number": issue.number}
            case Says():
                return self._said(place, act, now)
            case SaysOnLine():
                return await self._said_on_line(place, act, now)
            case Judges():
                return await self._judged(place, act, now)
            case Merges():
                return {"sha": await self.merged(place, self._pull(place, act.number), Merge(merge_method=act.method))}
            case Edits() | Labels() | Closes() | Presses() | Drops():
                self._changed(place, act, now)
        return {}

    def _changed(self, place: Place, act: Edits | Labels | Closes | Presses | Drops, now: str) -> None:
        kept = self.kept(place)
        match act:
            case Edits():
                found = among({one.id: one for one in kept.comments}, act.comment, "comment")
                found.body, found.changed = act.body, now
            case Labels():
                on = self._on(place, act.number)
                on.labels = list(dict.fromkeys([*on.labels, act.label]))
            case Closes():
                on = self._on(place, act.number)
                on.state = "closed"
                if isinstance(on, Pull):
                    on.ended_at = now
            case Presses() | Drops():
                check = among({one.id: one for one in kept.checks}, act.check, "check run")
                if isinstance(act, Drops):
                    kept.checks.remove(check)

    def _said(self, place: Place, act: Says, now: str) -> Json:
        kept = self.kept(place)
        on = self._on(place, act.number).number
        named = number(place.page.url, str(len(kept.comments)))
        kept.comments.append(Comment(id=named, on=on, body=act.body, at=now, person=act.person, changed=now))
        return {"id": named}

    async def _said_on_line(self, place: Place, act: SaysOnLine, now: str) -> Json:
        kept, pull = self.kept(place), self._pull(place, act.number)
        if act.reply_to is not None:
            first = first_of(kept, pull.number, act.reply_to)
            if first is None:
                raise NoSuchThing(f"there is no comment {act.reply_to} that begins a thread on #{pull.number}")
            return {"id": replied(place, kept, first, body=act.body, at=now, person=act.person).id}
        head, base = await self.heads(place, pull)
        await require_shown(place, (base, head), act.path, act.line)
        said = LineSaid(path=act.path, line=act.line, body=act.body, at=now, person=act.person)
        return {"id": (await commented(place, kept, pull, (base, head), said)).id}

    async def _judged(self, place: Place, act: Judges, now: str) -> Json:
        pull = self._pull(place, act.number)
        head, _ = await self.heads(place, pull)
        made = Review(id=len(pull.reviews) + 1, person=act.person, state=act.state, commit=head, body=act.body, at=now)
        pull.reviews.append(made)
        return {"id": review(place, pull, made)["id"]}

    def _on(self, place: Place, wanted: int) -> Pull | KeptIssue:
        """What people comment on and label."""
        kept = self.kept(place)
        there: dict[int, Pull | KeptIssue] = {one.number: one for one in (*kept.pulls, *kept.issues)}
        return among(there, wanted, "issue or pull request")

    def _pull(self, place: Place, wanted: int) -> Pull:
        return among({one.number: one for one in self.kept(place).pulls}, wanted, "pull request")


def among(there: Mapping[int, Thing], wanted: int, what: str) -> Thing:
    """The one of that number.

    Raises:
        NoSuchThing: There is none.
    """
    if wanted not in there:
        raise NoSuchThing(f"there is no {what} {wanted}")
    return there[wanted]
