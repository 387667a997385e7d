"""One value is changed, and everything else stays: every comment, every quote, every empty line."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.manifest.told import SMALL, WHOLE, with_
from workflows.manifest.editing import EditError, location, meant, set_value
from workflows.manifest.reading import read_manifest
from workflows.manifest.text import TextError


def lines_gone(before: str, after: str) -> list[str]:
    left = after.splitlines()
    return [line for line in before.splitlines() if line not in left or left.remove(line) is not None]


def edited(text: str, path: str, value: object) -> str:
    return set_value(text, location(path), value)


@pytest.mark.parametrize(
    ("path", "value", "gone", "there"),
    [
        ("service.name", "shop-api", "  name: shop-web  # as people call it", "  name: shop-api  # as people call it"),
        ("verify.within", "30m", "  within: 20m", "  within: 30m"),
        ("verify.http[0].status", [200], "      status: [200, 204]", "      status: [200]"),
        ("pulumi.stacks.staging", "dev", "    staging: staging  # first", "    staging: dev  # first"),
        ("test.limits.time", "20m", None, "  limits: {memory_mib: 2048, disk_mib: 1024, cpus: 2, time: 20m}"),
        ("service.owner.contact", "#a: b", None, '    contact: "#a: b"'),
    ],
)
def test_a_value_is_replaced_in_its_line(path: str, value: object, gone: str | None, there: str) -> None:
    after = edited(WHOLE, path, value)
    [old] = lines_gone(WHOLE, after)
    [new] = lines_gone(after, WHOLE)
    assert gone in {None, old}
    assert new == there
    read_manifest(after.encode())


@pytest.mark.parametrize(
    ("path", "value", "there"),
    [
        ("pulumi.stacks.dev", "dev", ["    dev: dev"]),
        ("verify.http[2]", {"url": "https://a.example.com/"}, ['    - {url: "https://a.example.com/"}']),
        ("verify.metrics[0].every", "15s", []),
        ("test.limits.cpus", 2, []),
        ("policy.approvals[1]", {"action": "neon.*", "quorum": 2}, ['    - {action: "neon.*", quorum: 2}']),
        ("build.limits.time", "5m", ["  limits:", "    time: 5m"]),
    ],
)
def test_what_is_missing_is_added_and_nothing_goes(path: str, value: object, there: list[str]) -> None:
    after = edited(WHOLE, path, value)
    assert lines_gone(WHOLE, after) == []
    assert lines_gone(after, WHOLE) == there
    read_manifest(after.encode())


def test_sections_are_made_at_the_end_behind_a_last_comment() -> None:
    text = with_("# the end") + "\n"
    after = edited(text, "test.command", ["make", "test"])
    assert after.startswith(SMALL)
    assert "# the end" in after
    assert after.endswith("test:\n  command: [make, test]\n# the end\n")


def test_a_file_without_a_last_line_break_gets_its_line() -> None:
    assert edited("version: 1", "service.name", "shop") == "version: 1\nservice:\n  name: shop"


def test_an_empty_file_begins() -> None:
    assert edited("", "version", 1) == "version: 1\n"


def test_a_key_is_added_inside_of_brackets() -> None:
    assert edited("a: {b: 1}  # x\n", "a.c", "yes") == 'a: {b: 1, c: "yes"}  # x\n'
    assert edited("a: {}\n", "a.c", 1) == "a: {c: 1}\n"
    assert edited("a: []\n", "a[0]", 1) == "a: [1]\n"


def test_a_text_over_several_lines_is_replaced_whole() -> None:
    assert edited("a: |\n  x\n  y\n# z\nb: 1\n", "a", "w") == "a: w\n# z\nb: 1\n"


def test_a_block_is_replaced_where_it_has_no_comments() -> None:
    assert edited("a:\n  - x\n  - y\n# z\nb: 1\n", "a", ["w"]) == "a: [w]\n# z\nb: 1\n"
    with pytest.raises(EditError, match="comments in it that would be lost"):
        edited("a:\n  - x  # why\n  - y\n", "a", ["w"])
    with pytest.raises(EditError, match="comments in it"):
        edited("a: [x, # why\n  y]\n", "a", ["w"])
    with pytest.raises(EditError, match="comments in its brackets"):
        edited("a: {x: 1, # why\n  y: 2}\n", "a.z", 3)


@pytest.mark.parametrize("path", ["", ".a", "[0]", "a..b", "a[x]", "a b", "a.", "a[-1]"])
def test_what_is_no_key_is_told(path: str) -> None:
    with pytest.raises(EditError, match="is not a key; write it as in verify"):
        location(path)


@pytest.mark.parametrize("path", ["a[5]", "a.b", "c[0].d", "b.x", "b[0]"])
def test_what_cannot_be_there_is_told(path: str) -> None:
    with pytest.raises(EditError):
        edited("a: [1]\nb: 1\n", path, 2)


def test_a_text_that_is_no_yaml_is_not_touched() -> None:
    with pytest.raises(TextError):
        edited("a: &x 1\nb: *x\n", "a", 2)


@pytest.mark.parametrize(
    "text", ["yes", "010", "1:30", "a: b", "# x", "", "- a", "a\nb", "'", '"', "{", "null", "é", "2026-01-01"]
)
def test_a_text_stays_the_text_that_it_is(text: str) -> None:
    assert yaml.safe_load(edited("a: 1\n", "a", text)) == {"a": text}
    assert yaml.safe_load(edited("a: 1\n", "a", [text])) == {"a": [text]}


def test_what_somebody_types_is_meant_as_the_key_takes_it() -> None:
    assert meant(location("service.description"), "a: b # c") == "a: b # c"
    assert meant(location("service.description"), "'quoted'") == "quoted"
    assert meant(location("test.command"), "[make, test]") == ["make", "test"]
    assert meant(location("verify.http[0].tolerate"), "2") == 2
    assert meant(location("service.name"), "*x") == "*x"
    with pytest.raises(EditError, match="anchors and aliases"):
        meant(location("test.command"), "*x")


COMMENTS = re.compile(r"(?:^|\s)# .*$", re.MULTILINE)
_keys = ["service.name", "verify.within", "verify.http[0].every", "verify.http[2]", "test.command", "test.purpose"]
_keys += [
    "pulumi.stacks.other",
    "pulumi.stacks.staging",
    "needs.neon[0].hours",
    "needs.redis[0].name",
    "build.command[2]",
]
_keys += [
    "needs.qdrant[0].collections[0].indexes.size",
    "policy.actions[1]",
    "policy.budget.day",
    "extra.deep.er",
    "other",
]
_scalars = st.text(max_size=12) | st.integers(-5, 500) | st.booleans()
_values = (
    _scalars | st.lists(_scalars, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{2,8}", fullmatch=True), _scalars)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_keys), _values), min_size=1, max_size=4))
def test_whatever_is_set_is_what_is_there_and_no_comment_is_lost(changes: list[tuple[str, Any]]) -> None:
    text = WHOLE
    for path, value in changes:
        before = yaml.safe_load(text)
        try:
            after = edited(text, path, value)
        except EditError:
            continue
        found: Any = yaml.safe_load(after)
        assert COMMENTS.findall(text) == [one for one in COMMENTS.findall(after) if one in COMMENTS.findall(text)]
        for part in location(path):
            found = found[part]
        assert found == value
        top = location(path)[0]
        assert {key: one for key, one in before.items() if key != top} == {
            key: one for key, one in yaml.safe_load(after).items() if key != top
        }
        text = after
