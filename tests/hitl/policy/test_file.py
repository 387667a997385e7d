"""Policy files, right and wrong."""

from pathlib import Path

import pytest

from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Environment, Rule
from hitl.protocol import Phase, PolicyContext


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "policy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(folder: Path, text: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(PolicyError) as caught:
        load_policy(write(folder, text))
    for line in str(caught.value).splitlines():
        assert line.startswith(f"{folder}/policy.yaml:")
    return [(line, where, message) for line, where, message in caught.value.problems]


def test_the_smallest_file(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, "environments: {local: {phase: non_critical_writes}}"))
    assert policy.environments == {"local": Environment(phase=Phase.NON_CRITICAL_WRITES)}


def test_a_whole_file(tmp_path: Path) -> None:
    text = """\
# What the agent may do.
environments:
  local:
    phase: non_critical_writes
  live:
    phase: production
    actions:
      - allow: github.delete_branch
        where: {repository_owner: acme, repository_name: "shop-*"}
      - deny: github.*
        because: frozen
"""
    live = load_policy(write(tmp_path, text)).environments["live"]
    assert live.phase is Phase.PRODUCTION
    assert live.rules == (
        Rule(
            name="environments.live.actions[0]",
            line=8,
            verdict="allow",
            action="github.delete_branch",
            where={"repository_owner": "acme", "repository_name": "shop-*"},
        ),
        Rule(name="environments.live.actions[1]", line=10, verdict="deny", action="github.*", because="frozen"),
    )


def test_every_field_of_a_context_can_be_matched(tmp_path: Path) -> None:
    where = ", ".join(f"{name}: {'<= 9' if name == 'cost' else 'x'}" for name in PolicyContext.model_fields)
    text = f"environments: {{a: {{phase: read_only, actions: [{{deny: '*', where: {{{where}}}}}]}}}}"
    [rule] = load_policy(write(tmp_path, text)).environments["a"].rules
    assert set(rule.where) == set(PolicyContext.model_fields)


def test_all_problems_are_reported_at_once_with_their_lines_and_the_way_out(tmp_path: Path) -> None:
    text = """\
environments:
  local:
    phase: read_only
  yes: {phase: read_only}
  Live:
    phase: production
    actions:
      - allow: Merge
      - deny: github.merge
        allow: github.merge
      - deny: github.merge
        where: {repository: x, repository_name: 12}
      - {}
      - 3
  local:
    phase: read_only
extra: 1
"""
    found = problems(tmp_path, text)
    expected = [
        (4, "environments", "put it in quotes"),
        (5, "environments.Live", "lower-case"),
        (8, "environments.Live.actions[0].allow", "github.read_file"),
        (9, "environments.Live.actions[1]", "either `allow: ACTION` or `deny: ACTION`"),
        (12, "environments.Live.actions[2].where.repository", "did you mean 'repository_name'?"),
        (12, "environments.Live.actions[2].where.repository_name", "12 is not text; put it in quotes"),
        (13, "environments.Live.actions[3]", "either `allow: ACTION`"),
        (14, "environments.Live.actions[4]", "3 is not a mapping"),
        (15, "environments.local", "'local' is already on line 2"),
        (17, "extra", "unknown key 'extra'; Known here: environments"),
    ]
    assert [(line, where) for line, where, _ in found] == [(line, where) for line, where, _ in expected]
    for (_, _, message), (_, _, part) in zip(found, expected, strict=True):
        assert part in message


@pytest.mark.parametrize(
    ("text", "line", "where", "part"),
    [
        ("environments: {a: {phase: reed_only}}", 1, "environments.a.phase", "read_only, non_critical_writes"),
        ("environments:\n  a:\n    phase: no\n", 3, "environments.a.phase", "is not a phase"),
        (
            "environments:\n  a:\n    phase: read_only\n    actions: [{deny: '*', where: {cost: 20}}]\n",
            4,
            "environments.a.actions[0].where.cost",
            "put it in quotes",
        ),
        (
            "environments:\n  a:\n    phase: read_only\n    actions: [{deny: '*', where: {cost: '20'}}]\n",
            4,
            "environments.a.actions[0].where.cost",
            "write <= or > and whole US dollars a month",
        ),
        ("environments:\n  a: {}\n", 2, "environments.a.phase", "is missing"),
        ("environments:\n  a:\n    fase: x\n    phase: read_only\n", 3, "environments.a.fase", "did you mean 'phase'"),
        ("environments: {}", 1, "environments", "names no environment"),
        ("environments: [1]", 1, "environments", "is not a mapping"),
        ("environments: {a: {phase: read_only, actions: {}}}", 1, "environments.a.actions", "is not a list"),
        ("", 1, "file", "is not a mapping"),
        ("just text", 1, "file", "is not a mapping"),
        ("a: 1\nb: [1\n", 3, "file", "not YAML"),
        ("a: \t- b", 1, "file", "not YAML"),
        ("a: &x 1\nb: *x\n", 1, "file", "anchors and aliases"),
        ("a: &a [*a]\n", 1, "file", "anchors and aliases"),
        ("a: 1\n---\nb: 1\n", 2, "file", "not YAML"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "file", "not YAML"),
        ("[" * 5000, 1, "file", "nested too deeply"),
        ("? [a]\n: b\n", 1, "file", "not YAML"),
        ("a: 2026-99-99\n", 1, "file", "not YAML"),
        (b"a: \x00\n", 1, "file", "not YAML"),
        (b"a: \xff\xfe\n", 1, "file", "not YAML"),
        ("#" * (1024 * 1024 + 1), 1, "file", "1 MiB"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, line: int, where: str, part: str) -> None:
    [(found_line, found_where, message)] = problems(tmp_path, text)
    assert (found_line, found_where) == (line, where)
    assert part in message


def test_a_long_value_is_not_shown_whole(tmp_path: Path) -> None:
    [(_, _, message)] = problems(tmp_path, "environments: {a: {phase: " + "x" * 500 + "}}")
    assert len(message) < 200


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"absent\.yaml:1: file: cannot be read \(No such file"):
        load_policy(tmp_path / "absent.yaml")
