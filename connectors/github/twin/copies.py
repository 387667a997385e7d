"""Puts a copied repository behind the twin: its objects, every branch and tag where it stood, its open pull requests.

What was copied is a stranger's: it is unpacked by git, where no credential is.
"""

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from connectors.github.copy import CopiedPull, CopiedRepository
from connectors.github.git import GitError, git, open_mirror
from connectors.github.twin.bodies import number
from connectors.github.twin.pulls import Check, Pull, Review
from connectors.github.twin.writes import Kept, keep_besides_git

DESCRIBED: Final = "described.json"
OBJECTS: Final = "objects.pack"
_AT: Final = "2026-01-01T00:00:00Z"
"""When whatever was copied is said to have happened: the copy does not say."""
_STATES: Final = {"approved": "APPROVED", "changes_requested": "CHANGES_REQUESTED", "dismissed": "DISMISSED"}


class CopyUnusable(ValueError):
    """A copy is not one, or git refuses its objects."""


async def bring_copies(copies: Path, bare: Path, beside: Path) -> None:
    """Bring every copy behind the twin.

    Args:
        copies: A folder for each repository, with `described.json` and `objects.pack`.
        bare: Where the twin's repositories lie.
        beside: Where the twin keeps what git does not.

    Raises:
        CopyUnusable: One of them is no copy.
    """
    for folder in sorted(copies.glob("*/*")):
        try:
            copied = CopiedRepository.model_validate_json((folder / DESCRIBED).read_bytes())
            into = bare / f"{folder.parent.name}/{folder.name}.git"
            await _bring(copied, (folder / OBJECTS).read_bytes(), into)
        except (GitError, OSError, ValidationError) as error:
            name = f"{folder.parent.name}/{folder.name}"
            raise CopyUnusable(f"the copy of {name!r} cannot be put behind the GitHub twin: {error}") from error
        keep_besides_git(beside / f"{folder.parent.name}.{folder.name}.json", _kept(copied))


async def _bring(copied: CopiedRepository, objects: bytes, into: Path) -> None:
    await open_mirror(into)
    if objects:
        await git("index-pack", "--stdin", "--fsck-objects", at=into, stdin=objects)
    orders = "".join(f"create {name}\0{sha}\0" for name, sha in copied.refs.items())
    await git("update-ref", "-z", "--stdin", at=into, stdin=orders.encode())
    await git("symbolic-ref", "HEAD", f"refs/heads/{copied.default_branch}", at=into)


def _kept(copied: CopiedRepository) -> Kept:
    checks = [
        Check(
            id=number("copied", one.commit, check.name),
            name=check.name,
            head_sha=one.commit,
            external_id=None,
            status="completed" if check.conclusion else "in_progress",
            conclusion=check.conclusion,
            title=None,
            summary=None,
            at=_AT,
        )
        for one in copied.pulls
        for check in one.checks
    ]
    return Kept(pulls=[_pull(one) for one in sorted(copied.pulls, key=lambda one: one.number)], checks=checks)


def _pull(copied: CopiedPull) -> Pull:
    reviews = [
        Review(
            id=number("copied", str(copied.number), one.person),
            person=one.person,
            state=_STATES[one.verdict],
            commit=one.commit or copied.commit,
            body="",
            at=_AT,
        )
        for one in copied.reviews
    ]
    return Pull(
        number=copied.number,
        title=copied.title,
        body=None,
        head=copied.head,
        base=copied.base,
        draft=copied.draft,
        at=_AT,
        reviews=reviews,
    )
