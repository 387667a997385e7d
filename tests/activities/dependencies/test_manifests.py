"""Manifests as strangers write them: what each kind names, and what no kind takes."""

import json
from collections.abc import Mapping

import pytest

from activities.dependencies.found import MOST_ENTRIES, FileFound
from activities.dependencies.manifests.actions import too_wide
from activities.dependencies.manifests.kinds import choose, kind_of, read_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def read(path: str, text: str | bytes) -> FileFound:
    kind = kind_of(path)
    assert kind is not None, path
    return read_file(path, kind, text if isinstance(text, bytes) else text.encode())


def told(found: FileFound) -> list[tuple[str, str, bool, bool]]:
    return [(one.name, one.version or one.wanted, one.pinned, one.direct) for one in found.used]


PYPROJECT = """
[project]
name = "Acme_Shop"
dependencies = ["Requests>=2,<3", "acme.cart[extra]==1.4 ; python_version > '3'", "plain", "far @ https://x.example/a"]
[project.optional-dependencies]
dev = ["pytest"]
[dependency-groups]
lint = ["ruff==0.4.0", {include-group = "dev"}]
[build-system]
requires = ["hatchling"]
[tool.poetry.dependencies]
python = "^3.11"
flask = {version = "3.0.0"}
"""
UV_LOCK = """
[[package]]
name = "acme-shop"
source = { editable = "." }
[[package]]
name = "requests"
version = "2.32.3"
source = { registry = "wheels" }
sdist = { url = "https://x.example/r.tar.gz", upload-time = "2024-05-29T15:37:49.536Z" }
"""
REQUIREMENTS = """
# what we need
requests==2.31.0 \\
    --hash=sha256:aa
flask ~= 3.0  # the web
-r base.txt
--constraint=../limits.txt
-e .
--no-binary :all:
"""
LOCK = {
    "packages": {
        "": {"name": "web"},
        "node_modules/left-pad": {"version": "1.3.0"},
        "node_modules/a/node_modules/@acme/ui": {"version": "2.0.0"},
        "node_modules/own": {"link": True},
    }
}
GO_MOD = """module github.com/acme/api
go 1.22
require github.com/acme/lib v1.2.0
require (
    golang.org/x/text v0.0.0-20240102030405-abcdef012345 // indirect
    broken
)
"""
DOCKERFILE = """ARG BASE=python:3.11
FROM --platform=linux/amd64 ${BASE} AS build
FROM registry.example:5000/acme/tool@sha256:aaaa
COPY --from=build /a /b
COPY --from=busybox:1.36 /bin/sh /sh
FROM $UNKNOWN
"""
WORKFLOW = f"""
on: push
permissions: {{contents: read}}
jobs:
  test:
    uses: Acme/ci/.github/workflows/test.yml@v2
  build:
    steps:
      - uses: actions/checkout@{COMMIT}
      - uses: ./local
      - run: make
      - uses: docker://alpine:3.20
"""
READ: Mapping[str, tuple[str, list[tuple[str, str, bool, bool]]]] = {
    "pyproject.toml": (
        PYPROJECT,
        [
            ("requests", ">=2,<3", False, True),
            ("acme-cart", "1.4", True, True),
            ("plain", "", False, True),
            ("far", "@ https://x.example/a", False, True),
            ("hatchling", "", False, True),
            ("pytest", "", False, True),
            ("ruff", "0.4.0", True, True),
            ("flask", "3.0.0", True, True),
        ],
    ),
    "sub/uv.lock": (UV_LOCK, [("requests", "2.32.3", True, False)]),
    "deploy/requirements-dev.txt": (
        REQUIREMENTS,
        [("requests", "2.31.0", True, True), ("flask", "~= 3.0", False, True)],
    ),
    "package.json": (
        json.dumps({"name": "@acme/web", "dependencies": {"left-pad": "^1.3.0"}, "devDependencies": {"vite": "5.0.1"}}),
        [("left-pad", "^1.3.0", False, True), ("vite", "5.0.1", True, True)],
    ),
    "package-lock.json": (json.dumps(LOCK), [("left-pad", "1.3.0", True, False), ("@acme/ui", "2.0.0", True, False)]),
    "old/package-lock.json": (
        json.dumps({"dependencies": {"a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}}}}}),
        [("a", "1.0.0", True, False), ("b", "2.0.0", True, False)],
    ),
    "go.mod": (
        GO_MOD,
        [
            ("github.com/acme/lib", "v1.2.0", True, True),
            ("golang.org/x/text", "v0.0.0-20240102030405-abcdef012345", True, False),
        ],
    ),
    "Dockerfile": (
        DOCKERFILE,
        [
            ("python", "3.11", False, True),
            ("registry.example:5000/acme/tool", "sha256:aaaa", True, True),
            ("busybox", "1.36", False, True),
        ],
    ),
    ".github/workflows/ci.yaml": (
        WORKFLOW,
        [
            ("acme/ci/.github/workflows/test.yml", "v2", False, True),
            ("actions/checkout", COMMIT, True, True),
            ("alpine", "3.20", False, True),
        ],
    ),
}


@pytest.mark.parametrize("path", READ)
def test_each_kind_of_manifest_names_what_it_uses(path: str) -> None:
    text, wanted = READ[path]
    assert told(read(path, text)) == wanted


def test_a_manifest_names_what_it_makes_takes_in_and_when_it_came_out() -> None:
    made = [one.made[0].name for one in (read("pyproject.toml", PYPROJECT), read("go.mod", GO_MOD))]
    assert made == ["acme-shop", "github.com/acme/api"]
    assert read("deploy/requirements-dev.txt", REQUIREMENTS).includes == ("deploy/base.txt", "limits.txt")
    released = [one.released for path in ("sub/uv.lock", "go.mod") for one in read(path, READ[path][0]).used]
    assert [one.year for one in released if one] == [2024, 2024]
    assert [one.what for one in read("go.mod", GO_MOD).mistakes] == [
        "requires 'broken', which is no module with a version; it is left out"
    ]


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("pyproject.toml", "this is = = no TOML", "is no TOML: "),
        ("pyproject.toml", "a = " + "[" * 5_000, "nested too deeply"),
        ("pyproject.toml", f"{'.'.join('a' * 4_000)} = 1", "a key of too many parts"),
        ("pyproject.toml", f"[{'.'.join('a' * 200)}]\n" + "b = 1\n" * 50, "a key of too many parts"),
        ("uv.lock", "# " + "x" * 20_000, "too long"),
        ("package.json", "[" * 200_000, "nested too deeply"),
        ("package.json", "{", "is no JSON: "),
        ("package-lock.json", "[1]", "is no mapping of JSON"),
        ("go.mod", b"\xff\xfe", "is not UTF-8"),
        (".github/workflows/a.yml", "a: [", "is no YAML: something is wrong in line 1"),
        (".github/workflows/a.yml", "a: " + "[" * 3_000, "nested too deeply"),
        (".github/workflows/a.yml", "!!python/object/apply:os.system [id]", "is no mapping of YAML"),
        ("requirements.txt", "-r ../../etc/passwd", "outside of the repository"),
        ("requirements.txt", "-r /etc/passwd", "outside of the repository"),
        ("requirements.txt", "-r https://evil.example/a.txt", "from elsewhere"),
    ],
)
def test_what_is_no_manifest_is_told_and_names_nothing(path: str, text: str | bytes, why: str) -> None:
    found = read(path, text)
    assert [why in one.what for one in found.mistakes] == [True], found.mistakes
    assert (found.used, found.includes) == ((), ())


@pytest.mark.parametrize("name", ["a\nb", "<b>x</b>", "a\u202eb", "", "../../x", "a" * 300])
def test_a_name_with_a_line_break_markup_or_what_hides_is_no_name(name: str) -> None:
    found = read("package.json", json.dumps({"dependencies": {name: "1.0.0", "fine": "\u202e<i>"}}))
    assert [(one.name, one.wanted) for one in found.used] == [("fine", "\\u202e<i>")]
    assert "which is no name of a package" in found.mistakes[0].what
    assert found.mistakes[0].what.isprintable()


def test_a_lock_file_of_a_hundred_thousand_packages_is_cut_and_says_so() -> None:
    packages = {f"node_modules/p{number}": {"version": "1.0.0"} for number in range(100_000)}
    found = read("package-lock.json", json.dumps({"packages": packages}))
    assert len(found.used) == MOST_ENTRIES
    assert [one.what for one in found.mistakes] == ["names 80000 packages more than the 20000 that are read of a file"]


def test_aliases_that_stand_for_millions_of_steps_are_visited_so_often_and_no_more() -> None:
    steps = "\n".join(f"    - uses: acme/a{number}@v1" for number in range(200))
    jobs = "\n".join(f"  j{number}: {{steps: *all}}" for number in range(1_000))
    found = read(".github/workflows/a.yml", f"jobs:\n  first:\n    steps: &all\n{steps}\n{jobs}\n")
    assert len(found.used) == 200


def test_what_is_read_is_chosen_by_path_and_size_before_a_byte_is_read() -> None:
    sizes = {
        "pyproject.toml": 50 * 1024 * 1024,
        "node_modules/x/package.json": 10,
        "web/package.json": 10,
        "docs/requirements/all.txt": 10,
        "README.md": 10,
        **{f".github/workflows/{number}.yml": 128 * 1024 for number in range(9)},
        **{f"many/{number:03}/go.mod": 10 for number in range(250)},
    }
    chosen = choose(sizes)
    assert len(chosen.files) == 200
    assert {"web/package.json", "docs/requirements/all.txt"} <= chosen.files.keys()
    assert {one.path: one.what for one in chosen.mistakes} == {
        "pyproject.toml": f"has {50 * 1024 * 1024} bytes, and at most {512 * 1024} of such a file are read",
        ".github/workflows/8.yml": "is left out: 1048576 bytes of YAML are read of a repository",
        "": "60 manifests more than the 200 that are read",
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("permissions: write-all\njobs: {a: {}}", "change everything"),
        ("permissions: {contents: read}\njobs: {a: {permissions: write-all}}", "change everything"),
        ("permissions: {contents: write, issues: write}\njobs: {a: {}}", "may write: contents, issues"),
        ("jobs: {a: {permissions: {}}, b: {}}", "says no 'permissions'"),
        ("permissions: {contents: read}\njobs: {a: {permissions: {contents: write}}}", None),
        ("jobs: {a: {permissions: read-all}}", None),
    ],
)
def test_a_workflow_whose_jobs_may_do_too_much_is_told_by_why(text: str, why: str | None) -> None:
    said = too_wide(text)
    assert said is None if why is None else why in (said or "")
