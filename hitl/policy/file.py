"""Reads a policy file: what somebody wrote, checked whole, made into a valid `Policy` or into a list of problems.

    people:
      alice: [slack:U0ALICE, github:alice]
      bob: [slack:U0BOB]
    groups:
      release: [alice, bob]
    environments:
      local:
        phase: non_critical_writes
      live:
        phase: production
        actions:
          - allow: github.delete_branch
            where: {repository_owner: acme, repository_name: "shop-*"}
          - deny: github.open_pull_request
            where: {repository_name: payroll}
            because: frozen until the audit is over
        approvals:
          - action: github.delete_branch
            groups: [release]

How these rules decide: `hitl.policy.rules`. Every problem of a file is reported at once, with its line and the way out.
"""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hitl.approval.approvers import Mentions, Requesters, StepUps
from hitl.policy.approvals import find_problems, people, rules
from hitl.policy.github import find_github_problems, github_policy
from hitl.policy.raw import (
    Raw,
    RawApproval,
    RawBreakGlass,
    RawBudget,
    RawEnvironment,
    RawEscalation,
    RawGitHub,
    RawKey,
    RawLimits,
    RawPolicy,
    RawRates,
    RawRollOut,
    RawRule,
    RawSchedules,
    RawTrigger,
    RawWhere,
)
from hitl.policy.rules import Budget, Environment, Policy, RollOut, Rule
from hitl.policy.triggers import Permission, SlashCommand, Trigger
from hitl.policy.yaml import Document, Location, YamlError, read_document
from hitl.protocol import Phase

_MAX_BYTES: Final = 1024 * 1024
_MAX_SHOWN: Final = 60
_CENTS: Final = 100


class Problem(NamedTuple):
    """One thing wrong with a policy file: its line, the place in the document, and what to do about it."""

    line: int
    where: str
    message: str


class PolicyError(Exception):
    """A policy file cannot be used. The message lists every problem, one a line, as `file:line: where: what`."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = list(problems)
        super().__init__("\n".join(f"{path}:{line}: {where}: {message}" for line, where, message in self.problems))


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: With every problem found, when it cannot be read or is not valid.
    """
    data = _data(path)
    document = _document(path, data)
    problems = [_from_yaml(problem) for problem in document.problems]
    raw = None
    try:
        raw = RawPolicy.model_validate(document.value)
    except ValidationError as error:
        # A key that is not text was found with the YAML, where its line is known.
        wrong = (
            one for one in error.errors(include_url=False) if one["type"] != "string_type" or one["loc"][-1] != "[key]"
        )
        problems += [_from_pydantic(one, document) for one in wrong]
    else:
        found = (*find_problems(raw), *find_github_problems(raw))
        problems += [Problem(document.line(at), _dotted(at), text) for at, text in found]
    if raw is None or problems:
        raise PolicyError(path, sorted(problems))
    return Policy(
        source=path.name,
        environments={name: _environment(name, one, document) for name, one in raw.environments.items()},
        people=people(raw),
        github=github_policy(raw.github, line=document.line),
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def _data(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        text = f"cannot be read ({error.strerror}); name a file that this process may read"
        raise PolicyError(path, [Problem(1, "file", text)]) from error
    if len(data) > _MAX_BYTES:
        raise PolicyError(path, [Problem(1, "file", "is larger than 1 MiB; a policy is a page or two")])
    return data


def _document(path: Path, data: bytes) -> Document:
    try:
        return read_document(data)
    except YamlError as error:
        raise PolicyError(path, [_from_yaml(error)]) from error


def _environment(name: str, raw: RawEnvironment, document: Document) -> Environment:
    lines = (_rule(one, ("environments", name, "actions", index), document) for index, one in enumerate(raw.actions))
    return Environment(
        phase=raw.phase,
        rules=tuple(lines),
        approvals=rules(name, raw, line=document.line),
        slack_channel=raw.slack_channel,
        budget=_budget(raw.budget) if raw.budget is not None else None,
        roll_out=RollOut(**raw.roll_out.model_dump(exclude_none=True)) if raw.roll_out is not None else RollOut(),
    )


def _budget(raw: RawBudget) -> Budget:
    return Budget(
        day=None if raw.day is None else raw.day * _CENTS, goal=None if raw.goal is None else raw.goal * _CENTS
    )


def _rule(raw: RawRule, at: Location, document: Document) -> Rule:
    return Rule(
        name=_dotted(at),
        line=document.line(at),
        verdict="deny" if raw.allow is None else "allow",
        action=raw.allow or raw.deny or "",
        where={name: pattern for name, pattern in raw.where if pattern is not None},
        because=raw.because,
    )


def _from_yaml(problem: YamlError) -> Problem:
    return Problem(problem.line, _dotted(problem.location), problem.message)


def _from_pydantic(error: ErrorDetails, document: Document) -> Problem:
    at = tuple(part for part in error["loc"] if part != "[key]")
    return Problem(document.line(at), _dotted(at), _advice(error, at))


_ADVICE: Final[Mapping[str, str]] = {
    "missing": "is missing; add it",
    "string_type": "{given} is not text; put it in quotes",
    "int_type": "{given} is not a whole number; write it in digits",
    "dict_type": "{given} is not a mapping; write `name: value` lines under it",
    "model_type": "{given} is not a mapping; write `name: value` lines under it",
    "string_pattern_mismatch": "{given} is not an environment's name; use lower-case letters, digits, '-' and '_'",
}
_LISTS: Final[Mapping[str | int, str]] = {
    "actions": "write one `- allow: ACTION` or `- deny: ACTION` a line",
    "approvals": "write one `- action: ACTION` with its `groups` a line",
    "groups": "write names in brackets, as in [alice, bob]",
    "triggers": "write one `- events: [comment]` with its `repositories` a line",
    "events": "write some of them in brackets, as in [comment]",
    "commands": "write some of them in brackets, as in [run, status]",
    "repositories": "write patterns in brackets, as in [acme/shop]",
    "goals": "write names in brackets, as in [ReadFile]",
}
_EMPTY: Final[Mapping[str | int, str]] = {
    "environments": "names no environment; add one, as in `local: {phase: read_only}`",
    "groups": "is empty, so that nobody could ever approve; name somebody",
    "people": "has no identity; add one, as in [slack:U0ALICE]",
    "events": "names nothing that happens; write some, as in [comment]",
    "repositories": "names no repository, so that it could never hold; write some, as in [acme/shop]",
    "keys": "has no key; copy the lines that the console shows under `Your keys`, or leave the person out",
}
_WORDS: Final[Mapping[str | int, tuple[str, type[StrEnum]]]] = {
    "mention": ("known here", Mentions),
    "phase": ("a phase", Phase),
    "unverified_requester": ("known here", Requesters),
    "step_up": ("known here", StepUps),
    "events": ("known here", Trigger),
    "commands": ("a command", SlashCommand),
    "permission": ("a permission of GitHub's", Permission),
}


def _advice(error: ErrorDetails, at: Location) -> str:
    """What is wrong and what to write, in the words of this file and not of the validator."""
    given = repr(error["input"])
    shown = given if len(given) <= _MAX_SHOWN else f"{given[:_MAX_SHOWN]}…"
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(str(at[-1]), at[:-1])
        case "enum":
            what, words = _WORDS[_key(at)]
            return f"{shown} is not {what}; write one of {', '.join(words)}"
        case "list_type":
            return f"{shown} is not a list; {_LISTS.get(at[-1]) or _LISTS['groups']}"
        case "too_short":
            return _EMPTY.get(at[-1]) or _EMPTY.get(at[0]) or error["msg"]
        case kind if kind in _ADVICE:
            return _ADVICE[kind].format(given=shown)
        case _:
            return error["msg"]


def _key(at: Location) -> str:
    """The key of a value, or of the list that it is in."""
    return next(part for part in reversed(at) if isinstance(part, str))


def _unknown_key(key: str, parent: Location) -> str:
    known = list(_known_keys(parent))
    close = difflib.get_close_matches(key, known, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key {key!r}; {meant}Known here: {', '.join(known)}"


_KEYS: Final[Mapping[str | int, type[Raw]]] = {
    "where": RawWhere,
    "escalate": RawEscalation,
    "cost_limits": RawLimits,
    "budget": RawBudget,
    "roll_out": RawRollOut,
    "break_glass": RawBreakGlass,
    "actions": RawRule,
    "approvals": RawApproval,
    "keys": RawKey,
    "github": RawGitHub,
    "rates": RawRates,
    "schedules": RawSchedules,
    "triggers": RawTrigger,
}


def _known_keys(parent: Location) -> Sequence[str]:
    """The keys of a mapping, which is known by its own key or, in a list, by the list's."""
    if len(parent) < len(("environments", "name", "key")) and parent[:1] not in {("keys",), ("github",)}:
        return list((RawEnvironment if parent else RawPolicy).model_fields)
    names = [part for part in parent if isinstance(part, str)]
    if names[0] == "keys":  # by person
        names = names[:1]
    return list(_KEYS[names[-1]].model_fields)


def _dotted(at: Location) -> str:
    """`environments.local.actions[0].allow`, or `file` for the whole."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
    return text.removeprefix(".") or "file"
