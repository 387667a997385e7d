"""Which schedules a repository has: what its file asks for, as far as the policy lets it. Pure.

Nobody causes what the time does, so nobody's rights count: not those of who wrote the file, nor of who merged it. What
a schedule may begin, a rule for the event `schedule` says. None lets it begin what destroys: who merged the file could
otherwise approve what they had asked for themselves.
"""

from dataclasses import dataclass
from datetime import timedelta

from hitl.gateway.inputs import AskedFor
from hitl.github.cron import Cron, read_cron
from hitl.github.deciding import asked_for, refuse_goal
from hitl.github.repository_config import PATH, RepositoryConfig, ScheduleOf
from hitl.github.rules import Asked, named_by
from hitl.policy.rules import Policy
from hitl.policy.triggers import Permission, Trigger
from hitl.protocol import Effect

_ANY = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A schedule that the policy lets the repository have."""

    name: str
    cron: Cron
    written: str
    time_zone: str
    task: str


@dataclass(frozen=True, kw_only=True)
class NotPlanned:
    """One that the file asks for and that is not to be. Attributes: why, in a sentence."""

    name: str
    why: str


def may_schedule(repository: str, policy: Policy) -> bool:
    """Whether a rule is about what is scheduled there."""
    return bool(named_by(policy, Trigger.SCHEDULE, None, repository))


def planned(config: RepositoryConfig | None, repository: str, policy: Policy) -> list[Planned | NotPlanned]:
    """Each schedule of the file, in its order. Those above the policy's number are the last ones."""
    found: list[Planned | NotPlanned] = []
    limits = policy.github.schedules
    for name, one in (config.schedules if config is not None else {}).items():
        why = _refused(one, config, repository, policy)
        if why is None and sum(isinstance(other, Planned) for other in found) >= limits.repository:
            why = f"{policy.source} lets a repository have {limits.repository} schedules at most."
        found.append(NotPlanned(name=name, why=why) if why is not None else _planned(name, one))
    return found


def wanted_by(name: str, config: RepositoryConfig, *, repository: str, head: str) -> AskedFor | str:
    """What a schedule begins at this commit, or why its input is none."""
    task = config.tasks[config.schedules[name].task]
    return asked_for(task, {"$repository": repository, "$sha": head})


def _planned(name: str, one: ScheduleOf) -> Planned:
    return Planned(name=name, cron=read_cron(one.cron), written=one.cron, time_zone=one.time_zone, task=one.task)


def _refused(one: ScheduleOf, config: RepositoryConfig | None, repository: str, policy: Policy) -> str | None:
    gap, least = read_cron(one.cron).least_gap(), policy.github.schedules.least
    if gap < least:
        return f"It would run after {_told(gap)}, and {policy.source} wants {_told(least)} between two runs."
    wanted = asked_for(config.tasks[one.task], {"$repository": repository, "$sha": _ANY}) if config is not None else ""
    if isinstance(wanted, str):
        return wanted
    if wanted.goal.effect is Effect.DESTRUCTIVE:
        return f"{wanted.goal.name} destroys, and no schedule begins what destroys: somebody has to ask for it."
    asked = Asked(trigger=Trigger.SCHEDULE, command=None, repository=repository, permission=Permission.NONE)
    return refuse_goal(wanted, asked, policy, config)


def _told(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


NO_RULE = "No rule under `github.triggers` of {policy} is about a schedule in {repository!r}."
NO_FILE = f"no {PATH} can be read there"
