"""A lock file that a tool wrote anew: what the gate takes, refuses, and shows."""

import json
from typing import Any

import pytest

from sandbox.gate.locks import Lock, LockUnreadable, read_lock
from sandbox.gate.updated import judge_update, moves
from tests.sandbox.updates.registries import HOSTS, Package
from tests.sandbox.updates.working import AFTER, BEFORE, NPM_AFTER, NPM_BEFORE, lock, npm_lock, source


def uv(text: str) -> Lock:
    return read_lock("a/uv.lock", text.encode())


def npm(text: str) -> Lock:
    return read_lock("package-lock.json", text.encode())


def rules(before: Lock, after: Lock) -> set[str]:
    return {one.rule for one in judge_update(before, after, hosts=HOSTS)}


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (uv(lock(*BEFORE)), uv(lock(*AFTER)), [("helper", "new"), ("hello", "1.0"), ("other", "2.0")]),
        (npm(npm_lock(*NPM_BEFORE)), npm(npm_lock(*NPM_AFTER)), [("right", "new"), ("left", "1.0.0")]),
    ],
    ids=["uv", "npm"],
)
def test_an_honest_update_passes_and_is_told(before: Lock, after: Lock, moved: list[tuple[str, str]]) -> None:
    assert rules(before, after) == set()
    assert [(one.name, ", ".join(one.before) or "new") for one in moves(before, after)] == moved


EVIL = "https://evil.example.com"


@pytest.mark.parametrize(
    "text",
    [
        lock(*AFTER, host="evil.example.com"),
        lock(*AFTER, index=f"{EVIL}/simple"),
        lock(*AFTER, host="files.example.com.evil.example.com"),
        lock(*AFTER, host="files.example.com@evil.example.com"),
        lock(*AFTER).replace("https://files", "http://files"),
        lock(*AFTER, index="wheels"),
        lock(*AFTER).replace(source(), f'{{ git = "{EVIL}/x?rev=1" }}', 1),
        lock(*AFTER).replace(source(), f'{{ url = "{EVIL}/x.whl" }}', 1),
    ],
    ids=["files", "index", "suffix", "user", "plain", "folder", "git", "url"],
)
def test_a_lock_file_that_points_elsewhere_is_refused(text: str) -> None:
    assert rules(uv(lock(*BEFORE)), uv(text)) == {"registries"}


@pytest.mark.parametrize(
    "resolved",
    [
        f"{EVIL}/left.tgz",
        "git+ssh://git@evil.example.com/left.git#1",
        "https://npm.example.com.evil/x",
        "file:left.tgz",
    ],
)
def test_one_of_npms_neither(resolved: str) -> None:
    said: dict[str, Any] = json.loads(npm_lock(*NPM_AFTER))
    said["packages"]["node_modules/left"]["resolved"] = resolved
    assert rules(npm(npm_lock(*NPM_BEFORE)), npm(json.dumps(said))) == {"registries"}


@pytest.mark.parametrize("integrity", ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "md5-x"])
def test_a_file_without_a_strong_digest_is_refused(integrity: str) -> None:
    said: dict[str, Any] = json.loads(npm_lock(*NPM_AFTER))
    said["packages"]["node_modules/left"]["integrity"] = integrity
    assert rules(npm(npm_lock(*NPM_BEFORE)), npm(json.dumps(said))) == {"digests"}


def test_what_the_repository_asks_for_does_not_change() -> None:
    more = lock(*AFTER).replace('    { name = "hello" },\n', '    { name = "hello" },\n    { name = "helper" },\n', 1)
    asked = json.loads(npm_lock(*NPM_AFTER))
    asked["packages"][""]["dependencies"]["right"] = "^1.0.0"
    at_home = lock(*AFTER)
    index = at_home.rindex('    { name = "hello" },')
    assert rules(uv(lock(*BEFORE)), uv(at_home[:index] + '    { name = "helper" },\n' + at_home[index:])) == {"direct"}
    assert rules(uv(lock(*BEFORE)), uv(more)) == {"direct"}
    assert rules(npm(npm_lock(*NPM_BEFORE)), npm(json.dumps(asked))) == {"direct"}


@pytest.mark.parametrize(
    ("new", "like"),
    [("erquests", "requests"), ("request", "requests"), ("requests2", "requests"), ("re-quests", "requests"),
     ("requ3sts", "requests"), ("flask", "")],
)  # fmt: skip
def test_a_new_name_that_could_be_taken_for_another_is_shown(new: str, like: str) -> None:
    before, after = uv(lock(Package("requests", "1.0"))), uv(lock(Package("requests", "1.0"), Package(new, "1.0")))
    assert [(one.name, one.like) for one in moves(before, after)] == [(new, like)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("uv.lock", "version = 2\n"),
        ("uv.lock", "version = 1\npackage = 3\n"),
        ("uv.lock", "{"),
        ("package-lock.json", '{"lockfileVersion": 1, "dependencies": {}}'),
        ("package-lock.json", "[]"),
        ("package-lock.json", "[" * 100_000),
        ("yarn.lock", ""),
    ],
)
def test_what_is_no_known_lock_file_is_refused(path: str, text: str) -> None:
    with pytest.raises(LockUnreadable):
        read_lock(path, text.encode())
