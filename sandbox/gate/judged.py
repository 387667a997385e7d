"""The gate: every rule over a whole change, each refusal with its place and the way out.

It is deterministic: the same change is judged in the same way, whoever made it and whatever they say of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hitl.hidden import visible
from sandbox.gate.change import Changed, Lines
from sandbox.gate.code import dangers_in, hidden_in, weakened
from sandbox.gate.kinds import KINDS, TESTS, Kind, KindRules
from sandbox.gate.secrets import secrets_in
from sandbox.tools.rules import SessionRules, ToolRules, matches

RULES: Final[Mapping[str, str]] = {
    "paths": "Only what this kind of job may write",
    "size": "Few files, few lines",
    "files": "Texts alone: no binaries, no links, no repository in the repository",
    "secrets": "No credential in a line that came",
    "code": "Nothing that runs text, opens a shell, or looks away",
    "tests": "No test less than before",
}
"""The rules by their names, for people."""
MOST_BYTES: Final = 192 * 1024
"""Of all files as they are now: a pull request's commit has 256 kB at most."""
MOST_TOLD: Final = 30
"""Refusals of one change; there are as many at most."""
_SHOWN: Final = 120
_ANYWHERE: Final = ToolRules()


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a change does not pass.

    Attributes:
        rule: One of `RULES`.
        at: The file, with its line where there is one; empty for the whole.
        says: What is wrong, and what may be done. It quotes nothing of the change but names.
    """

    rule: str
    at: str
    says: str


def judge(kind: Kind, files: Sequence[Changed], *, write: tuple[str, ...] = ()) -> tuple[Refusal, ...]:
    """Every reason why the change does not pass; none where it does.

    Args:
        kind: What the job is for.
        files: All that differs from the commit.
        write: Where the job says so: paths that alone may change.

    Raises:
        KeyError: A job of this kind changes no file.
    """
    rules = KINDS[kind]
    found = [*_of_size(rules, files)]
    for file in files:
        found += [*_of_path(rules, write, file), *_of_form(file)]
        if file.lines is not None:
            found += [*_of_secrets(file, file.lines), *_of_code(file, file.lines)]
        if matches(TESTS, file.path):
            found += [Refusal(rule="tests", at=_at(file), says=f"{one}: {_TESTS_WAY}") for one in weakened(file)]
    return tuple(found[:MOST_TOLD])


_TESTS_WAY: Final = "mend the code instead, or say that the test is wrong and leave it"


def _of_size(rules: KindRules, files: Sequence[Changed]) -> Iterator[Refusal]:
    lines = sum(len(one.lines.added) + len(one.lines.removed) for one in files if one.lines is not None)
    for count, most, what in (
        (len(files), rules.files, "files"),
        (lines, rules.lines, "lines"),
        (sum(one.size for one in files), MOST_BYTES, "bytes of changed files"),
    ):
        if count > most:
            says = f"{count} {what} are more than the {most} that one pull request may have: do a part of it"
            yield Refusal(rule="size", at="", says=says)


def _of_path(rules: KindRules, write: tuple[str, ...], file: Changed) -> Iterator[Refusal]:
    asked = SessionRules(write=write) if write else SessionRules()
    for of in (rules.session(()), asked):
        if (refusal := _ANYWHERE.refusal_to_write(file.path, of)) is not None:
            yield Refusal(rule="paths", at=_at(file), says=f"{refusal}: take the change of it back")
            return


def _of_form(file: Changed) -> Iterator[Refusal]:
    if file.lines is None:
        yield Refusal(rule="files", at=_at(file), says="the patch does not say what becomes of it: take it back")
        return
    if file.lines.binary or (file.content is not None and b"\0" in file.content):
        yield Refusal(rule="files", at=_at(file), says="it is no text, and nobody can read it: take it back")
    if odd := file.lines.modes - {"100644", "100755"}:
        what = "a link" if "120000" in odd else "a repository of its own" if "160000" in odd else "of an odd kind"
        yield Refusal(rule="files", at=_at(file), says=f"it is {what}: take it back")


def _of_secrets(file: Changed, lines: Lines) -> Iterator[Refusal]:
    for line in lines.added:
        for kind in secrets_in(line.text):
            says = (
                f"it looks like a secret ({kind}): no credential lies in a repository, and none is made up for a test"
            )
            yield Refusal(rule="secrets", at=f"{_at(file)}:{line.number}", says=says)


def _of_code(file: Changed, lines: Lines) -> Iterator[Refusal]:
    for number, what in dangers_in(file):
        says = f"it {what}: write it without that, or leave it to people"
        yield Refusal(rule="code", at=f"{_at(file)}:{number}", says=says)
    for line in lines.added:
        if hidden_in(line.text):
            says = "it has characters that nobody sees or that turn text around: leave them out"
            yield Refusal(rule="code", at=f"{_at(file)}:{line.number}", says=says)


def _at(file: Changed) -> str:
    return visible(file.path[:_SHOWN])
