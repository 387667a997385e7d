"""Merging by git itself in a bare repository, in each of GitHub's three ways. Nothing moves a branch here."""

import re
from typing import Final

from connectors.github.bare import BareRepository
from connectors.github.git import GitError, git

_HUNK: Final = re.compile(r"@@ -[\d,]+ \+(?P<first>\d+)")
_BOT: Final = ("-c", "user.name=banksman[bot]", "-c", "user.email=banksman[bot]@users.noreply.github.com")


async def merged_tree(repository: BareRepository, onto: str, head: str) -> str | None:
    """The tree of both; None where they conflict."""
    try:
        out = await git("merge-tree", "--write-tree", onto, head, at=repository.path)
    except GitError:
        return None
    return out.decode().split("\n", 1)[0].strip()


async def is_ancestor(repository: BareRepository, one: str, of: str) -> bool:
    """Whether a commit holds another."""
    try:
        await git("merge-base", "--is-ancestor", one, of, at=repository.path)
    except GitError:
        return False
    return True


async def changed_files(repository: BareRepository, base: str, head: str) -> int:
    """How many files the head changes since it left the base; none where the two share nothing."""
    try:
        out = await git("diff", "--name-only", "-z", f"{base}...{head}", at=repository.path)
    except GitError:
        return 0
    return out.count(b"\0")


async def shown_lines(repository: BareRepository, base: str, head: str, path: str) -> set[int]:
    """The lines of a file, as it is at the head, that the diff shows."""
    try:
        out = await git("diff", "--no-renames", f"{base}...{head}", "--", f":(literal){path}", at=repository.path)
    except GitError:
        return set()
    shown: set[int] = set()
    number = 0
    for line in out.decode(errors="replace").split("\n"):
        if hunk := _HUNK.match(line):
            number = int(hunk["first"])
        elif number and line[:1] in {"+", " "}:
            shown.add(number)
            number += 1
    return shown


async def merge_commit(repository: BareRepository, onto: str, head: str, message: str) -> str | None:
    """A commit of both; None where they conflict."""
    tree = await merged_tree(repository, onto, head)
    return await _commit(repository, tree, onto, head, message=message) if tree else None


async def squashed(repository: BareRepository, onto: str, head: str, message: str) -> str | None:
    """One commit with all that the head has; None where they conflict."""
    tree = await merged_tree(repository, onto, head)
    return await _commit(repository, tree, onto, message=message) if tree else None


async def rebased(repository: BareRepository, onto: str, head: str) -> str | None:
    """The last of the head's commits, each made anew; None where one conflicts."""
    out = await git("rev-list", "--reverse", "--no-merges", f"{onto}..{head}", at=repository.path)
    for commit in out.decode().split():
        info = await repository.commit_object(commit)
        # What is there, as if it had been made on what the commit was made on: so git takes that for what both share.
        there = (await repository.commit_object(onto)).tree
        stand_in = await _commit(repository, there, *info.parents, message="stands in")
        tree = await merged_tree(repository, stand_in, commit)
        if tree is None:
            return None
        onto = await _commit(repository, tree, onto, message=info.message)
    return onto


async def _commit(repository: BareRepository, tree: str, *parents: str, message: str) -> str:
    named = [word for one in parents for word in ("-p", one)]
    out = await git(*_BOT, "commit-tree", tree, *named, "-m", message, at=repository.path)
    return out.decode().strip()
