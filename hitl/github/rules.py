"""Who may have what begun from GitHub: the deployment's policy decides, and a repository's file takes away. Pure.

A person counts by three things together: the policy names their login, it names the number of their account, and
GitHub says what they may do in that repository. `author_association`, which comes with every event, is never enough:
`MEMBER` says nothing of a repository, and `CONTRIBUTOR` is whoever has one commit there.
"""

from dataclasses import dataclass

from hitl.approval.approvers import folded
from hitl.github.events import Actor
from hitl.github.repository_config import PATH, RepositoryConfig
from hitl.policy.rules import Policy
from hitl.policy.triggers import SAID, Permission, Rates, SlashCommand, Trigger, TriggerRule


@dataclass(frozen=True, kw_only=True)
class Known:
    """Somebody whom the policy knows.

    Attributes:
        identity: As in `github:alice`.
        person: As in `alice`.
    """

    identity: str
    person: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants begun or done.

    Attributes:
        command: None where no command was said.
        repository: `OWNER/NAME`.
        permission: What GitHub says that they may do there.
        goal: To be begun; None where nothing is.
    """

    trigger: Trigger
    command: SlashCommand | None
    repository: str
    permission: Permission
    goal: str | None = None


def who(actor: Actor, policy: Policy) -> Known | str:
    """The person whose account this is, or why nobody's will is known by it."""
    identity = folded(f"github:{actor.login}")
    person = policy.people.person(identity)
    if person is None:
        return f"{policy.source} does not know {identity!r}; an operator can add it under `people`."
    number = policy.github.accounts.get(identity.removeprefix("github:"))
    if number is None:
        return (
            f"{policy.source} does not say which account {identity!r} is; an operator can add its number under "
            "`github.accounts`."
        )
    if number != actor.id:
        return (
            f"{identity!r} is another account than {policy.source} means: somebody took that login. An operator must "
            "look at `github.accounts`."
        )
    return Known(identity=identity, person=person)


def named_by(
    policy: Policy, trigger: Trigger, command: SlashCommand | None, repository: str
) -> tuple[TriggerRule, ...]:
    """The rules that are about this, whoever caused it."""
    return tuple(one for one in policy.github.rules if one.names(trigger, command, repository))


def refuse(asked: Asked, policy: Policy, config: RepositoryConfig | None) -> str | None:
    """Why that may not be, or None where a rule allows it and the repository does not take it away."""
    rules = named_by(policy, asked.trigger, asked.command, asked.repository)
    if not rules:
        return (
            f"{_said(asked)} may not be in {asked.repository!r}: no rule under `github.triggers` of {policy.source} "
            "names it."
        )
    if taken := _taken_away(asked, config):
        return taken
    reached = [one for one in rules if asked.permission.reaches(one.permission)]
    if not reached:
        least = min(rules, key=lambda one: one.permission.level)
        return (
            f"GitHub says that you may {_may(asked.permission)} in {asked.repository!r}, and {least} wants "
            f"{least.permission} at least."
        )
    if asked.goal is not None and not any(one.begins(asked.goal) for one in reached):
        names = ", ".join(dict.fromkeys(goal for one in reached for goal in one.goals)) or "none"
        return f"{asked.goal!r} may not be begun by this in {asked.repository!r}; what may: {names} ({reached[0]})."
    return None


def _taken_away(asked: Asked, config: RepositoryConfig | None) -> str | None:
    """Why the repository does not want it. It says nothing of `help`, which begins nothing."""
    if config is None:
        return None
    caused = asked.trigger is not Trigger.SCHEDULE
    if caused and config.permission is not None and not asked.permission.reaches(config.permission):
        return (
            f"GitHub says that you may {_may(asked.permission)} in {asked.repository!r}, and its {PATH} wants "
            f"{config.permission} at least."
        )
    said = asked.trigger in SAID and asked.command is not SlashCommand.HELP
    if said and config.commands is not None and asked.command not in config.commands:
        return f"{asked.repository!r} does not want {asked.command!s} (its {PATH})."
    if asked.goal is not None and config.goals is not None and asked.goal not in config.goals:
        return f"{asked.repository!r} does not want {asked.goal!r} begun from here (its {PATH})."
    return None


def refuse_rate(rates: Rates, *, by_person: int, by_installation: int) -> str | None:
    """Why no more may be begun in this hour, or None.

    Args:
        rates: The policy's.
        by_person: How many goals were begun in this person's name from GitHub in the last hour.
        by_installation: How many by this installation of the App.
    """
    for count, most, whose in (
        (by_person, rates.person, "you have had"),
        (by_installation, rates.installation, "this installation has had"),
    ):
        if count >= most:
            return f"In the last hour {whose} {count} goals begun from GitHub, and {most} are the most; wait a while."
    return None


def _said(asked: Asked) -> str:
    return f"`{asked.command}`" if asked.command is not None else f"A {asked.trigger}"


def _may(permission: Permission) -> str:
    return "do nothing" if permission is Permission.NONE else f"do what `{permission}` allows"
