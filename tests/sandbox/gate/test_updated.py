"""A lock file that a tool wrote anew: what the gate takes, refuses, and shows."""

import json
from typing import Any

import pytest

from sandbox.gate.locks import Lock, LockUnreadable, read_lock
from sandbox.gate.updated import judge_update, moves
from tests.sandbox.updates.modules import GO_AFTER, GO_BEFORE, HELLO, OTHER, Module, go_mod, go_sum
from tests.sandbox.updates.registries import HOSTS, Package
from tests.sandbox.updates.working import AFTER, BEFORE, NPM_AFTER, NPM_BEFORE, lock, npm_lock, pins, source


def uv(text: str) -> Lock:
    return read_lock("a/uv.lock", text.encode())


def npm(text: str) -> Lock:
    return read_lock("package-lock.json", text.encode())


def pip(text: str) -> Lock:
    return read_lock("requirements/base.txt", text.encode())


def go(mod: str, sums: str) -> Lock:
    return read_lock("api/go.mod", mod.encode(), sums.encode())


def of_go(*modules: Module, sums: str | None = None, more: str = "") -> Lock:
    return go(go_mod(*modules) + more, go_sum(*modules) if sums is None else sums)


def rules(before: Lock, after: Lock) -> set[str]:
    return {one.rule for one in judge_update(before, after, hosts=HOSTS)}


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (uv(lock(*BEFORE)), uv(lock(*AFTER)), [("helper", "new"), ("hello", "1.0"), ("other", "2.0")]),
        (npm(npm_lock(*NPM_BEFORE)), npm(npm_lock(*NPM_AFTER)), [("right", "new"), ("left", "1.0.0")]),
        (pip(pins(*BEFORE)), pip(pins(*AFTER)), [("helper", "new"), ("hello", "1.0"), ("other", "2.0")]),
        (pip(pins(BEFORE[0], hashed=False)), pip(pins(AFTER[0], hashed=False)), [("hello", "1.0")]),
        (of_go(*GO_BEFORE), of_go(*GO_AFTER), [("example.com/helper", "new"), (HELLO, "v1.0.0"), (OTHER, "v1.0.0")]),
    ],
    ids=["uv", "npm", "pip", "pip without digests", "go"],
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


HASH = "    --hash=sha256:"
MARKED = pins(BEFORE[0], hashed=False, head="").replace(
    "==1.0", "[more]==1.0 ; python_version < '3.12' and x_y == \"z\""
)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://evil.example.com/simple",
        "-i https://evil.example.com/simple",
        "--extra-index-url=https://evil.example.com/simple",
        "--find-links wheels",
        "--trusted-host evil.example.com",
        "--no-binary :all:",
        "--pre",
        "-r more.txt",
        "-c more.txt",
        "-e .",
        "./own",
        "own.whl",
        "own @ https://evil.example.com/own.whl",
        "https://evil.example.com/own.whl",
        "git+https://evil.example.com/own.git",
        "own",
        "own>=1",
        "own==1.*",
        "own===1",
        "own==1,==2",
        "own==1 --config-settings=x=y",
        "own==1 --global-option=x",
        "own==1 ; x == 'y' --index-url z",
        "own==1 --hash=md5:0123456789abcdef",
        f"own==1 --hash=sha1:{'0' * 40}",
        f"own==1 --hash=sha256:{'0' * 63}",
        "${OWN}==1",
        "# hidden \\\nown==1",
        "own==1 \\",
    ],
)
def test_what_is_no_pin_with_its_digests_is_no_lock_file_of_pips(line: str) -> None:
    with pytest.raises(LockUnreadable):
        pip(f"{pins(*BEFORE)}{line}\n")


def test_pins_are_read_as_pip_reads_them() -> None:
    assert pip(MARKED).versions() == {"hello": ("1.0",)}
    assert pip("A_b.C==1  # of old\n\n").versions() == {"a-b-c": ("1",)}
    both = pip("own==1 ; python_version < '3.9'\nown==2 ; python_version >= '3.9'\n")
    assert both.versions() == {"own": ("1", "2")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pins(*BEFORE), pins(*AFTER, hashed=False)),
        (pins(*BEFORE), pins(*AFTER) + "own==1\n"),
        (pins(*BEFORE), pins(*BEFORE).replace(HASH, f"{HASH}{'0' * 64} \\\n{HASH}", 1)),
        (pins(*BEFORE).replace(HASH, f"{HASH}{'0' * 64} \\\n{HASH}", 1), pins(*BEFORE)),
    ],
    ids=["all gone", "one has none", "one came", "one went"],
)
def test_digests_of_pins_do_not_go_and_do_not_change(before: str, after: str) -> None:
    assert rules(pip(before), pip(after)) == {"digests"}


def test_digests_that_both_know_are_the_same_and_every_need_has_one() -> None:
    sums = go_sum(*GO_AFTER)
    old = of_go(*GO_BEFORE)
    assert rules(old, of_go(*GO_AFTER)) == set()
    lost = "".join(line for line in sums.splitlines(keepends=True) if not line.startswith(HELLO))
    assert rules(old, of_go(*GO_AFTER, sums=lost)) == {"digests"}
    kept = of_go(*GO_BEFORE)
    other = dict(kept.sums) | {f"{HELLO} v1.0.0": f"h1:{'A' * 43}="}
    exchanged = "".join(f"{what} {digest}\n" for what, digest in other.items())
    assert rules(kept, of_go(*GO_BEFORE, sums=exchanged)) == {"digests"}
    unused = "".join(f"{what} {digest}\n" for what, digest in other.items()) + go_sum(*GO_AFTER)
    assert rules(kept, of_go(*GO_AFTER, sums=unused)) == {"digests"}


@pytest.mark.parametrize(
    "more",
    [
        f"\nreplace {HELLO} => evil.example.com/hello v1.0.0\n",
        f"\nreplace {HELLO} v1.1.0 => ../hello\n",
        "\nrequire example.com/more v1.0.0\n",
        "\nexclude example.com/more v1.0.0\n",
        "\ntool example.com/hello\n",
        "\ntoolchain go1.99\n",
        "\ngodebug default=go1.21\n",
        "\nretract v1.0.0\n",
        "\nignore ./x\n",
    ],
)
def test_of_go_mod_nothing_changes_but_versions(more: str) -> None:
    sums = go_sum(*GO_AFTER) + go_sum(Module("evil.example.com/hello", "v1.0.0"), Module("example.com/more", "v1.0.0"))
    before, after = of_go(*GO_BEFORE, more=""), of_go(*GO_AFTER, sums=sums, more=more)
    assert "direct" in rules(before, after)
    assert "direct" not in rules(of_go(*GO_BEFORE, sums=go_sum(*GO_BEFORE) + sums, more=more), after)


def test_a_module_that_was_needed_by_others_alone_and_is_asked_for_now_is_refused() -> None:
    after = go(go_mod(*GO_AFTER).replace(" // indirect", ""), go_sum(*GO_AFTER))
    assert rules(of_go(*GO_BEFORE), after) == {"direct"}


def test_a_version_of_go_that_a_module_brings_is_shown() -> None:
    after = go(go_mod(*GO_BEFORE, go="1.24"), go_sum(*GO_BEFORE))
    assert [(one.name, one.before, one.after) for one in moves(of_go(*GO_BEFORE), after)] == [
        ("go", ("1.21",), ("1.24",))
    ]


@pytest.mark.parametrize(
    ("mod", "sums"),
    [
        ("what is it\n", ""),
        ("require (\n\texample.com/x v1.0.0\n", ""),
        ("require example.com/x latest\n", ""),
        ("require example.com/x\n", ""),
        ("require ../x v1.0.0\n", ""),
        ("require example.com/x v1.0.0\nrequire example.com/x v1.1.0\n", ""),
        ("module `x\n", ""),
        ("go 1.21 /* x */\n", ""),
        ("go 1.21\n", "example.com/x v1.0.0 h1:short=\n"),
        ("go 1.21\n", f"example.com/x v1.0.0 sha1:{'A' * 43}=\n"),
        ("go 1.21\n", 2 * f"example.com/x v1.0.0 h1:{'A' * 43}=\n"),
    ],
)
def test_what_is_no_go_mod_with_its_digests_is_no_lock_file(mod: str, sums: str) -> None:
    with pytest.raises(LockUnreadable):
        go(mod, sums)


def test_a_line_that_never_ends_is_no_pin() -> None:
    with pytest.raises(LockUnreadable):
        pip("own==1 ;" + " " * 3_000_000 + "x" * 3_000_000)


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
        ("docs/notes.txt", ""),
        ("my-requirements.txt", ""),
        ("requirements.txt", "\x00"),
    ],
)
def test_what_is_no_known_lock_file_is_refused(path: str, text: str) -> None:
    with pytest.raises(LockUnreadable):
        read_lock(path, text.encode())
