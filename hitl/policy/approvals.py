"""What a policy file says of people, groups and approvals, made valid: every name known, every rule possible."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from hitl.approval.approvers import (
    BREAK_GLASS_APPROVE_WITHIN,
    BREAK_GLASS_EXECUTE_WITHIN,
    BREAK_GLASS_QUORUM,
    ApprovalRule,
    Escalation,
    Key,
    Mentions,
    Path,
    People,
    Requesters,
    spelling,
)
from hitl.approval.step_up import decoded, known_by
from hitl.policy.raw import RawApproval, RawEnvironment, RawPolicy, as_duration
from hitl.policy.yaml import Location

EMBEDDED_ENVIRONMENT: Final = "local"
"""The embedded environment's environment: the only one where nobody has to say who asked."""

Found = tuple[Location, str]
"""A problem: where it is, and what to do about it."""


def people(raw: RawPolicy) -> People:
    """Everybody whom the file names; problems are for `find_problems`."""
    return People(
        identities={identity: person for person, known in raw.people.items() for identity in known},
        groups={name: frozenset(members) for name, members in raw.groups.items()},
        keys={
            person: tuple(Key(id=one.id, public_key=one.public_key, host=one.host) for one in keys)
            for person, keys in raw.keys.items()
        },
    )


def rules(name: str, raw: RawEnvironment, *, line: Callable[[Location], int]) -> tuple[ApprovalRule, ...]:
    """The approval rules of one environment, the break-glass path of each right after it."""
    return tuple(_rules(name, raw, line))


def _rules(name: str, raw: RawEnvironment, line: Callable[[Location], int]) -> Iterator[ApprovalRule]:
    for index, one in enumerate(raw.approvals):
        rule = _rule(one, f"environments.{name}.approvals[{index}]", line(("environments", name, "approvals", index)))
        yield rule
        if one.break_glass is not None:
            yield replace(
                rule,
                name=f"{rule.name}.break_glass",
                line=line(("environments", name, "approvals", index, "break_glass")),
                path=Path.BREAK_GLASS,
                groups=tuple(one.break_glass.groups),
                quorum=BREAK_GLASS_QUORUM,
                approve_within=BREAK_GLASS_APPROVE_WITHIN,
                execute_within=BREAK_GLASS_EXECUTE_WITHIN,
                remind_after=None,
                escalation=None,
                mention=Mentions.ALL,
            )


def _rule(raw: RawApproval, name: str, line: int) -> ApprovalRule:
    limits = raw.cost_limits.model_dump(exclude_none=True) if raw.cost_limits else {}
    escalate = raw.escalate
    return ApprovalRule(
        name=name,
        line=line,
        action=raw.action,
        groups=tuple(raw.groups),
        quorum=raw.quorum,
        approve_within=as_duration(raw.approve_within),
        execute_within=as_duration(raw.execute_within),
        remind_after=as_duration(raw.remind_after) if raw.remind_after else None,
        escalation=Escalation(group=escalate.group, after=as_duration(escalate.after)) if escalate else None,
        cost_limits=limits,
        unverified_requester=raw.unverified_requester,
        mention=raw.mention,
        step_up=raw.step_up,
    )


def find_problems(raw: RawPolicy) -> Iterator[Found]:
    """Everything that no single value shows: names that are not there, rules that nobody could ever meet."""
    yield from _identities(raw)
    yield from _keys(raw)
    for name, members in raw.groups.items():
        yield from _known(members, raw.people, ("groups", name), what="person")
    for name, environment in raw.environments.items():
        seen: dict[str, int] = {}
        for index, one in enumerate(environment.approvals):
            at = ("environments", name, "approvals", index)
            yield from _approval(one, raw, at)
            if one.unverified_requester is Requesters.ALLOW and name != EMBEDDED_ENVIRONMENT:
                text = f"`allow` is for the embedded environment's environment {EMBEDDED_ENVIRONMENT!r} alone"
                yield (*at, "unverified_requester"), f"{text}; write one_more or deny"
            if one.action in seen:
                yield (*at, "action"), f"{one.action!r} is already in approvals[{seen[one.action]}]; keep one of them"
            seen.setdefault(one.action, index)


def _identities(raw: RawPolicy) -> Iterator[Found]:
    """Two people by one identity would let one of them count as the other, and one person by two as two."""
    first: dict[str, tuple[str, str]] = {}
    for person, identities in raw.people.items():
        for index, identity in enumerate(identities):
            owner, known = first.setdefault(spelling(identity), (person, identity))
            if owner != person:
                told = "" if known == identity else f", as {known!r}"
                yield ("people", person, index), f"{identity!r} is already {owner!r}{told}; one identity, one person"
            elif identity in identities[:index]:
                yield ("people", person, index), f"{identity!r} is already in this list; keep one of them"


def _keys(raw: RawPolicy) -> Iterator[Found]:
    """One key in two hands would let one of them confirm as the other."""
    owner: dict[bytes, str] = {}
    yield from _known(raw.keys, raw.people, ("keys",), what="person")
    for person, keys in raw.keys.items():
        for index, key in enumerate(keys):
            at = ("keys", person, index)
            try:
                told = {"id": decoded(key.id), "public_key": known_by(key.public_key)}
            except ValueError:
                yield (*at, "public_key"), "is no key that anything could be confirmed with; copy the console's lines"
                continue
            for field, known in told.items():
                if known in owner:
                    yield (*at, field), f"is already a key of {owner[known]!r}; one key, one person"
                    break
            for known in told.values():
                owner.setdefault(known, person)


def _approval(one: RawApproval, raw: RawPolicy, at: Location) -> Iterator[Found]:
    yield from _known(one.groups, raw.groups, (*at, "groups"), what="group")
    yield from _enough(one.groups, raw, at=(*at, "quorum"), quorum=one.quorum)
    if one.step_up is not None:
        yield from _enough_keys(one.groups, raw, at=(*at, "step_up"), quorum=one.quorum)
        if one.break_glass:
            yield from _enough_keys(one.break_glass.groups, raw, at=(*at, "step_up"), quorum=BREAK_GLASS_QUORUM)
    lasts = as_duration(one.approve_within)
    if one.remind_after and as_duration(one.remind_after) >= lasts:
        yield (*at, "remind_after"), f"comes after the {one.approve_within} for approving are over; write less"
    if one.escalate:
        yield from _known([one.escalate.group], raw.groups, (*at, "escalate", "group"), what="group")
        if as_duration(one.escalate.after) >= lasts:
            yield (*at, "escalate", "after"), f"comes after the {one.approve_within} for approving are over; write less"
    if one.break_glass:
        where = (*at, "break_glass", "groups")
        yield from _known(one.break_glass.groups, raw.groups, where, what="group")
        yield from _enough(one.break_glass.groups, raw, at=where, quorum=BREAK_GLASS_QUORUM)


def _enough(groups: Iterable[str], raw: RawPolicy, *, at: Location, quorum: int) -> Iterator[Found]:
    known = [raw.groups[group] for group in groups if group in raw.groups]
    members = {person for group in known for person in group}
    if known and len(members) < quorum:
        yield at, f"needs {quorum} people, and the groups have {len(members)}; nobody could ever approve"


def _enough_keys(groups: Iterable[str], raw: RawPolicy, *, at: Location, quorum: int) -> Iterator[Found]:
    members = {person for group in groups for person in raw.groups.get(group, ())}
    able = sorted(members & set(raw.keys))
    if len(able) < quorum:
        has = f"{', '.join(map(repr, able))} alone" if able else "nobody"
        yield at, f"needs {quorum} people with a key, and of {', '.join(groups)} {has} has one; write `keys` first"


def _known(names: Iterable[str], known: Mapping[str, object], at: Location, *, what: str) -> Iterator[Found]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        where = at if at[-1] == "group" else (*at, name if at == ("keys",) else index)
        if name not in known:
            close = difflib.get_close_matches(name, list(known), n=1)
            meant = (
                f"did you mean {close[0]!r}?"
                if close
                else f"name it under `{'people' if what == 'person' else 'groups'}`"
            )
            yield where, f"there is no {what} {name!r}; {meant}"
        elif name in seen:
            yield where, f"{name!r} is already in this list; keep one of them"
        seen.add(name)
