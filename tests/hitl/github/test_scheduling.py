"""What a repository may schedule: what a rule says for the time, and nothing by anybody's rights."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hitl.github.deciding import Look, decide
from hitl.github.repository_config import BrokenConfig, RepositoryConfig, read_config
from hitl.github.scheduling import NotPlanned, Planned, may_schedule, planned, wanted_by
from hitl.policy.rules import Policy
from hitl.policy.triggers import GitHubPolicy, Permission, Schedules, Trigger, TriggerRule
from tests.hitl.github.deciding_cases import BOT, BY_THEMSELVES, NEW, STRANGER, WRITERS, config, policy, pull, push

BY_TIME = TriggerRule(
    name="github.triggers[2]",
    line=12,
    events=frozenset({Trigger.SCHEDULE}),
    repositories=("acme/*",),
    permission=Permission.NONE,
    goals=("*",),
)
NIGHTLY = {"cron": "0 3 * * *", "task": "read"}


def of(*rules: TriggerRule, **limits: object) -> Policy:
    known = policy(*rules)
    schedules = Schedules(**limits)  # pyright: ignore[reportArgumentType] - as named
    return replace(known, github=replace(known.github, schedules=schedules))


def names(found: list[Planned | NotPlanned]) -> list[str]:
    return [one.name for one in found if isinstance(one, Planned)]


def reasons(found: list[Planned | NotPlanned]) -> str:
    return " ".join(one.why for one in found if isinstance(one, NotPlanned))


def test_a_schedule_begins_its_task_at_the_head_of_the_default_branch() -> None:
    asked = config(schedules={"nightly": {**NIGHTLY, "time_zone": "Europe/Berlin"}})
    [found] = planned(asked, "acme/shop", of(BY_TIME))
    assert isinstance(found, Planned)
    assert (found.name, found.written, found.time_zone, found.task) == ("nightly", "0 3 * * *", "Europe/Berlin", "read")
    wanted = wanted_by("nightly", asked, repository="acme/shop", head=NEW)
    assert not isinstance(wanted, str)
    assert wanted.request.model_dump()["ref"] == NEW


def test_without_a_rule_for_the_time_nothing_is_scheduled_whoever_may_push() -> None:
    asked = config(schedules={"nightly": NIGHTLY})
    for rules in ((), (WRITERS, BY_THEMSELVES)):
        assert not may_schedule("acme/shop", of(*rules))
        assert "no rule" in reasons(planned(asked, "acme/shop", of(*rules)))
    elsewhere = of(replace(BY_TIME, repositories=("acme/web",)))
    assert not may_schedule("acme/shop", elsewhere)
    assert planned(None, "acme/shop", of(BY_TIME)) == []


def test_what_is_too_often_or_too_many_is_refused() -> None:
    every = config(
        schedules={"often": {"cron": "* * * * *", "task": "read"}, "hourly": {**NIGHTLY, "cron": "0 * * * *"}}
    )
    found = planned(every, "acme/shop", of(BY_TIME))
    assert names(found) == ["hourly"]
    assert reasons(found) == "It would run after 1 minute, and policy.yaml wants 60 minutes between two runs."
    assert names(planned(every, "acme/shop", of(BY_TIME, least=timedelta(minutes=61)))) == []
    many = config(schedules={f"n{number}": NIGHTLY for number in range(50)})
    found = planned(many, "acme/shop", of(BY_TIME))
    assert names(found) == [f"n{number}" for number in range(10)]
    assert reasons(found).count("10 schedules at most") == 40


def test_a_file_with_ten_thousand_schedules_is_no_file() -> None:
    lines = [f"  n{number}: {{cron: 0 3 * * *, task: read}}" for number in range(10_000)]
    read = read_config("\n".join(["version: 1", "schedules:", *lines]).encode())
    assert isinstance(read, BrokenConfig)


def test_no_schedule_begins_what_destroys_or_what_the_rule_or_the_file_does_not_name() -> None:
    delete = {"goal": "DeleteBranch", "input": {"repository": "$repository", "branch": "old"}}
    other = {"goal": "ReadFile", "input": {"repository": "acme/payroll", "path": "x"}}
    tasks = {"read": {"goal": "ReadFile", "input": {"repository": "$repository", "path": "x"}}}
    asked = config(
        tasks={**tasks, "delete": delete, "other": other},
        schedules={name: {**NIGHTLY, "task": name} for name in ("read", "delete", "other")},
    )
    found = planned(asked, "acme/shop", of(BY_TIME))
    assert names(found) == ["read"]
    assert "DeleteBranch destroys" in reasons(found)
    assert "From 'acme/shop' nothing of 'acme/payroll' is begun" in reasons(found)
    assert names(planned(asked, "acme/shop", of(replace(BY_TIME, goals=("FlowStatus",))))) == []
    narrowed = asked.model_copy(update={"goals": ["FlowStatus"]})
    assert names(planned(narrowed, "acme/shop", of(BY_TIME))) == []
    strict = asked.model_copy(update={"permission": Permission.ADMIN})
    assert names(planned(strict, "acme/shop", of(BY_TIME))) == ["read"], "nobody causes it: nobody's permission counts"


def test_a_rule_for_the_time_says_nothing_of_what_people_do() -> None:
    asked = config(triggers=[{"event": "push", "task": "read"}])
    assert not isinstance(decide(push("x"), of(BY_TIME)), Look)
    assert not isinstance(decide(pull(), of(BY_TIME)), Look)
    assert isinstance(asked, RepositoryConfig)


@pytest.mark.parametrize("who", [STRANGER, BOT])
def test_the_file_is_looked_at_whoever_merged_it_a_bot_too(who: object) -> None:
    event = push(".banksman/config.yaml").model_copy(update={"sender": who})
    assert isinstance(decide(event, of(BY_TIME)), Look)
    cut = push("x").model_copy(update={"sender": who, "paths_complete": False})
    assert isinstance(decide(cut, of(BY_TIME)), Look)
    assert not isinstance(decide(push("x").model_copy(update={"sender": BOT}), of(BY_TIME)), Look)
    branch = push(".banksman/config.yaml", ref="refs/heads/work").model_copy(update={"sender": who})
    assert not isinstance(decide(branch, of(BY_TIME)), Look), "another branch's file counts for nothing"


def test_the_limits_have_their_own_when_nothing_is_said() -> None:
    assert GitHubPolicy().schedules == Schedules(least=timedelta(hours=1), repository=10)
