"""What a policy file says of GitHub, made valid: every account somebody's, every rule possible."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from hitl.policy.raw import RawGitHub, RawPolicy, RawTrigger
from hitl.policy.triggers import SAID, GitHubPolicy, Permission, Rates, Schedules, SlashCommand, Trigger, TriggerRule
from hitl.policy.yaml import Location

Found = tuple[Location, str]
"""A problem: where it is, and what to do about it."""
_BEGIN: frozenset[SlashCommand] = frozenset(
    {SlashCommand.RUN, SlashCommand.ASK, SlashCommand.REVISE, SlashCommand.RETRY}
)
_DECIDE: frozenset[SlashCommand] = frozenset({SlashCommand.APPROVE, SlashCommand.REJECT})


def github_policy(raw: RawGitHub | None, *, line: Callable[[Location], int]) -> GitHubPolicy:
    """The section; without one, nothing may be begun."""
    if raw is None:
        return GitHubPolicy()
    return GitHubPolicy(
        accounts=dict(raw.accounts),
        approvals=raw.approvals,
        rates=Rates(person=raw.rates.person, installation=raw.rates.installation),
        schedules=Schedules(least=timedelta(minutes=raw.schedules.minutes), repository=raw.schedules.repository),
        rules=tuple(
            TriggerRule(
                name=f"github.triggers[{index}]",
                line=line(("github", "triggers", index)),
                events=frozenset(one.events),
                commands=frozenset(one.commands),
                repositories=tuple(one.repositories),
                permission=one.permission or Permission.NONE,
                goals=tuple(one.goals),
            )
            for index, one in enumerate(raw.triggers)
        ),
    )


def find_github_problems(raw: RawPolicy) -> Iterator[Found]:
    """Accounts that are nobody's or two people's, and rules that could never hold, or would hold for everybody."""
    if raw.github is None:
        return
    known = {identity for identities in raw.people.values() for identity in identities}
    owner: dict[int, str] = {}
    for login, number in raw.github.accounts.items():
        at = ("github", "accounts", login)
        if f"github:{login}" not in known:
            yield at, f"nobody under `people` is 'github:{login}'; name whose account it is there"
        if owner.setdefault(number, login) != login:
            yield at, f"{number} is already the id of {owner[number]!r}; one account, one id"
    for index, one in enumerate(raw.github.triggers):
        yield from _rule(one, raw.github, ("github", "triggers", index))


def _rule(one: RawTrigger, raw: RawGitHub, at: Location) -> Iterator[Found]:
    said, commands = SAID & set(one.events), set(one.commands)
    if said and not commands:
        yield (*at, "events"), "says `comment` or `button` and no command; add `commands: [run, ask, status]`"
    if commands and not said:
        yield (*at, "commands"), "are said in a comment or by a button; add `comment` under `events`, or leave them out"
    if SlashCommand.HELP in commands:
        yield (*at, "commands"), "`help` needs no rule of its own; leave it out"
    begins = bool(commands & _BEGIN) or set(one.events) - SAID
    if begins and not one.goals:
        yield (*at, "goals"), "names no goal, so that nothing could be begun; write some, as in [ReadFile]"
    if one.goals and not begins:
        yield (*at, "goals"), "are begun by none of these commands; leave them out, or add `run`"
    if commands & _DECIDE and not raw.approvals:
        yield (*at, "commands"), "approve and reject count on GitHub only with `approvals: true` under `github`"
    if Trigger.SCHEDULE in one.events:
        yield from _by_time(one, at)
    elif one.permission is None:
        yield (*at, "permission"), "is missing; say what GitHub has to allow who causes it, as in `permission: write`"
    if one.permission is Permission.NONE:
        yield (*at, "permission"), "`none` would let every stranger in; write read at least"


def _by_time(one: RawTrigger, at: Location) -> Iterator[Found]:
    """Nobody causes what the time does: a rule on it says nothing of who may."""
    if len(set(one.events)) > 1:
        yield (*at, "events"), "`schedule` stands alone: nobody causes it; write a rule of its own"
    elif one.permission is not None:
        yield (*at, "permission"), "says who may cause it, and nobody causes what is scheduled; take it out"
