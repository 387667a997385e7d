"""A repository's own file: its mistakes have lines and columns, and whatever it says, it loosens nothing."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.github.deciding import Carry, Start, decide
from hitl.github.events import AnyEvent
from hitl.github.repository_config import BrokenConfig, RepositoryConfig, read_config
from hitl.github.rules import Asked, refuse
from hitl.policy.triggers import GitHubPolicy, Permission, SlashCommand, Trigger, TriggerRule
from tests.hitl.github.deciding_cases import comment, config, facts, policy, pull, push

WHOLE: Final = b"""\
version: 1
commands: [run, status]
goals: [ReadFile]
permission: maintain
tasks:
  read-readme:
    goal: ReadFile
    input: {repository: $repository, path: README.md}
triggers:
  - event: pull_request
    actions: [opened, labeled]
    branches: [main, release/*]
    labels: [banksman]
    task: read-readme
  - event: push
    paths: [src/**]
    permission: admin
    task: read-readme
schedules:
  nightly: {cron: 30 3 * * *, time_zone: UTC, task: read-readme}
output: {comments: problems}
"""


def test_a_whole_file() -> None:
    read = read_config(WHOLE)
    assert isinstance(read, RepositoryConfig)
    assert read.permission is Permission.MAINTAIN
    assert read.commands == [SlashCommand.RUN, SlashCommand.STATUS]
    assert [one.event for one in read.triggers] == ["pull_request", "push"]


@pytest.mark.parametrize(
    ("was", "becomes", "place", "says"),
    [
        ("version: 1", "version: 2", (1, 10, "version"), "not known here; write 1"),
        ("version: 1\n", "", (1, 1, "version"), "is missing"),
        ("commands: [run,", "command: [run,", (2, 1, "command"), "unknown key 'command'"),
        ("[run, status]", "[runs, status]", (2, 12, "commands[0]"), "not known here"),
        ("[ReadFile]", "[ReadFiles]", (3, 9, "goals[0]"), "no goal 'ReadFiles'"),
        ("maintain", "owner", (4, 13, "permission"), "not known here"),
        ("read-readme:", "Read:", (6, 3, "tasks.Read"), "not a name"),
        ("goal: ReadFile", "goal: Readfile", (7, 11, "tasks.read-readme.goal"), "no goal"),
        ("path: README.md}", "paths: x}", (8, 12, "tasks.read-readme.input"), "'paths' is unknown"),
        ("event: pull_request", "event: merge", (10, 12, "triggers[0].event"), "not known here"),
        ("[opened, labeled]", "[opened]", (13, 13, "triggers[0].labels"), "put on by the action"),
        ("task: read-readme\n  -", "task: other\n  -", (14, 11, "triggers[0].task"), "no task 'other'"),
        ("30 3", "30 33", (20, 19, "schedules.nightly.cron"), "'33' is no hour"),
        ("time_zone: UTC", "time_zone: Mars/Base", (20, 42, "schedules.nightly.time_zone"), "no time zone 'Mars/Base'"),
        ("UTC, task: read-readme", "UTC, task: other", (20, 53, "schedules.nightly.task"), "no task 'other'"),
        (
            "path: README.md}",
            "path: README.md, ref: $number}",
            (20, 53, "schedules.nightly.task"),
            "take out `$number`",
        ),
        ("[src/**]", "['!src/**']", (16, 12, "triggers[1].paths"), "only take away"),
        ("event: push", "event: issue", (16, 12, "triggers[1].paths"), "touches no files"),
        ("paths: [src/**]", "actions: [opened]", (16, 14, "triggers[1].actions"), "a push has no actions"),
        ("problems", "loud", (21, 20, "output.comments"), "not known here"),
        ("version: 1", "version: 1\nversion: 1", (2, 1, "version"), "already on line 1"),
        ("version: 1", "version: &a 1", (1, 10, "file"), "anchors"),
        ("maintain", "", (4, 1, "permission"), "is empty"),
    ],
)
def test_each_mistake_has_its_line_and_column(was: str, becomes: str, place: tuple[int, int, str], says: str) -> None:
    text = WHOLE.decode().replace(was, becomes, 1)
    assert text.encode() != WHOLE
    read = read_config(text.encode())
    assert isinstance(read, BrokenConfig)
    found = [(line, column, where) for line, column, where, message in read.mistakes if says in message]
    assert place in found, read.mistakes


@pytest.mark.parametrize(
    ("text", "says"),
    [(b"", "is no mapping"), (b"- a", "is no mapping"), (b"a: [", "not YAML"), (b"\xff", "not UTF-8"),
     (b"version: 1\n# \xe2\x80\xae", "cannot see"), (b"a: " + b"x" * 70_000, "larger than")],
)  # fmt: skip
def test_what_is_no_such_file_is_said_so(text: bytes, says: str) -> None:
    read = read_config(text)
    assert isinstance(read, BrokenConfig)
    assert says in str(read)


def test_a_placeholder_is_a_whole_value_and_never_a_part_of_one() -> None:
    inside = {"read": {"goal": "ReadFile", "input": {"repository": "acme/shop", "path": "a-$sha"}}}
    asked = config(tasks=inside, triggers=[{"event": "push", "task": "read"}])
    started = decide(push("x"), policy(), facts(config=asked))
    assert isinstance(started, Start)
    assert started.goals[0].request.business_key() == "read-file/acme/shop/a-$sha"


# A field after the other: what it takes away, and that its loosest value adds nothing.

RUN: Final = comment()
STATUS: Final = comment("/banksman status")


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (RUN, {"commands": ["status"]}),
        (RUN, {"goals": ["AskFor"]}),
        (RUN, {"permission": "maintain"}),
        (STATUS, {"commands": []}),
        (push("x"), {"goals": ["AskFor"], "triggers": [{"event": "push", "task": "read"}]}),
        (push("x"), {"permission": "admin", "triggers": [{"event": "push", "task": "read"}]}),
        (push("x"), {"triggers": [{"event": "push", "permission": "admin", "task": "read"}]}),
        (push("x"), {"triggers": [{"event": "push", "branches": ["other"], "task": "read"}]}),
        (push("x"), {"triggers": [{"event": "push", "paths": ["y"], "task": "read"}]}),
        (pull(), {"triggers": [{"event": "pull_request", "actions": ["labeled"], "task": "read"}]}),
        (pull("labeled"), {"triggers": [
            {"event": "pull_request", "actions": ["labeled"], "labels": ["other"], "task": "read"}]}),
    ],
)  # fmt: skip
def test_each_field_takes_away(event: AnyEvent, asked: dict[str, object]) -> None:
    triggers = [{"event": "push", "task": "read"}, {"event": "pull_request", "task": "read"}]
    without = decide(event, policy(), facts(config=config(triggers=triggers)))
    if event.action != "labeled":
        assert isinstance(without, Start | Carry)
    assert not isinstance(decide(event, policy(), facts(config=config(**asked))), Start | Carry)


@pytest.mark.parametrize(
    "asked",
    [
        {"commands": list(SlashCommand)},
        {"goals": ["DeleteBranch", "ReadFile", "AskFor"]},
        {"permission": "none"},
        {"triggers": [{"event": "push", "permission": "none", "task": "read"}]},
        {"output": {"comments": "all"}},
    ],
)
def test_no_field_adds(asked: dict[str, object]) -> None:
    loose = config(**asked)
    delete = comment('/banksman run DeleteBranch {"repository":"acme/shop","branch":"x"}')
    assert not isinstance(decide(delete, policy(), facts(config=loose)), Start)
    assert not isinstance(decide(RUN, policy(), facts(Permission.READ, config=loose)), Start)
    assert not isinstance(decide(push("x"), policy(), facts(Permission.READ, config=loose)), Start)


_GOALS: Final = ("ReadFile", "AskFor", "DeleteBranch")
_RULES: Final = st.builds(
    TriggerRule,
    name=st.just("github.triggers[0]"),
    line=st.just(1),
    events=st.frozensets(st.sampled_from(Trigger), min_size=1),
    commands=st.frozensets(st.sampled_from(SlashCommand)),
    repositories=st.lists(st.sampled_from(["acme/shop", "acme/*", "other/*"]), min_size=1, max_size=2).map(tuple),
    permission=st.sampled_from(Permission),
    goals=st.lists(st.sampled_from([*_GOALS, "*"]), max_size=2).map(tuple),
)
_CONFIGS: Final = st.builds(
    config,
    commands=st.none() | st.lists(st.sampled_from(SlashCommand)),
    goals=st.none() | st.lists(st.sampled_from(_GOALS)),
    permission=st.none() | st.sampled_from(Permission),
)
_ASKED: Final = st.builds(
    Asked,
    trigger=st.sampled_from(Trigger),
    command=st.none() | st.sampled_from(SlashCommand),
    repository=st.sampled_from(["acme/shop", "acme/web"]),
    permission=st.sampled_from(Permission),
    goal=st.none() | st.sampled_from(_GOALS),
)


@given(rules=st.lists(_RULES, max_size=3), asked=_ASKED, file=_CONFIGS)
def test_what_is_allowed_with_a_repositorys_file_is_allowed_without_it(
    rules: list[TriggerRule], asked: Asked, file: RepositoryConfig
) -> None:
    allowed = policy()
    allowed = type(allowed)(source="p", environments={}, people=allowed.people, github=GitHubPolicy(rules=tuple(rules)))
    if refuse(asked, allowed, file) is None:
        assert refuse(asked, allowed, None) is None
    if not rules:
        assert refuse(asked, allowed, file) is not None
