"""What tools may write and run: every trick with a path or a command meets the rules before a container hears of it."""

import pytest
from pydantic import ValidationError

from sandbox.tools.rules import PROTECTED, SessionRules, ToolRules, refusal_of_path

OPEN = SessionRules()


@pytest.mark.parametrize(
    "path", ["README.md", "src/shop/basket.py", "docs/a b.md", "x/…/y", ".gitignore", "locks/a.py"]
)
def test_an_ordinary_file_may_be_written(path: str) -> None:
    assert ToolRules().refusal_to_write(path, OPEN) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "/proc/self/environ", "../outside", "a/../../b", "./a", "a//b", "a/", ""),
        *("a\0b", "a\nb", "a\rb", "a\x1b[2Jb", "a\u202eb", "a\\..\\b", "x" * 501, "é" * 251, "a\udcffb"),
        *(".git/config", "sub/.git/hooks/pre-commit", ".GIT/config", ".git./config", ".git /config", "git~1/config"),
    ],
)
def test_what_is_no_path_in_the_repository_is_refused_with_the_way_to_write_one(path: str) -> None:
    refusal = refusal_of_path(path)
    assert refusal is not None
    assert "is not a file's path from the root of the repository" in refusal
    assert refusal.isprintable()
    assert ToolRules(unprotected=PROTECTED).refusal_to_write(path, OPEN) == refusal


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".github/workflows/ci.yml",
            ".GitHub/Workflows/ci.yml",
            ".gitlab-ci.yml",
            ".ci/run",
            "Jenkinsfile",
            "jenkinsfile",
        ),
        *("requirements.lock", "web/package-lock.json", "go.sum", "api/Cargo.lock", "docs/CODEOWNERS", "banksman.yaml"),
        *("deploy/policy.yaml", ".gitattributes", "sub/.gitmodules"),
    ],
)
def test_what_the_ci_runs_and_what_pins_or_decides_is_protected(path: str) -> None:
    refusal = ToolRules().refusal_to_write(path, OPEN)
    assert refusal is not None
    assert "is protected" in refusal
    # A session cannot open what the deployment keeps shut.
    assert ToolRules().refusal_to_write(path, SessionRules(write=("**", path))) == refusal


def test_the_deployment_may_open_what_is_protected_by_its_pattern() -> None:
    rules = ToolRules(unprotected=("**/*.lock",))
    assert rules.refusal_to_write("requirements.lock", OPEN) is None
    assert rules.refusal_to_write("go.sum", OPEN) is not None
    with pytest.raises(ValidationError, match="is not protected"):
        ToolRules(unprotected=("*.md",))


def test_a_session_narrows_what_the_deployment_allows_and_never_widens_it() -> None:
    rules = ToolRules(write=("docs/**", "src/**"), deny=("src/secret/**",))
    narrow = SessionRules(write=("**/*.md",), deny=("docs/old/**",))
    assert rules.refusal_to_write("docs/new/a.md", narrow) is None
    assert rules.refusal_to_write("docs/old/a.md", narrow) == (
        "'docs/old/a.md' may not be written (docs/old/**); allowed is **/*.md, but not docs/old/**"
    )
    assert rules.refusal_to_write("docs/a.txt", narrow) is not None
    assert rules.refusal_to_write("README.md", narrow) is not None
    assert rules.refusal_to_write("SRC/Secret/a.md", SessionRules(write=("**",))) is not None
    assert rules.refusal_to_write("src/secret/a.md", OPEN) is not None


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/b/a.md", False),
        ("docs/**", "docs/b/a.md", True),
        ("docs/**", "docs", False),
        ("**/a?.md", "a1.md", True),
        ("**/a?.md", "x/y/a1.md", True),
        ("a.md", "aXmd", False),
        ("a[b].md", "ab.md", False),
    ],
)
def test_a_star_stays_within_one_name(glob: str, path: str, *, fits: bool) -> None:
    assert (ToolRules(write=(glob,)).refusal_to_write(path, OPEN) is None) is fits


@pytest.mark.parametrize("glob", ["/docs/**", "../**", "a//b", "a**", "*" * 9, "a\nb"])
def test_a_pattern_that_says_nothing_is_refused(glob: str) -> None:
    with pytest.raises(ValidationError, match=r"is no pattern for paths|at most"):
        SessionRules(write=(glob,))


RUN = ToolRules(
    run=(("make", "test"), ("python3", "-m", "pytest", "..."), ("cat", "docs/*.md"), ("sh", "-c", "make -s x"))
)


@pytest.mark.parametrize(
    "argv",
    [("make", "test"), ("python3", "-m", "pytest"), ("python3", "-m", "pytest", "-q", "a b"), ("cat", "docs/a.md"),
     ("sh", "-c", "make -s x")],
)  # fmt: skip
def test_a_listed_command_may_run(argv: tuple[str, ...]) -> None:
    assert RUN.refusal_to_run(argv, OPEN) is None


@pytest.mark.parametrize(
    "argv",
    [
        *(("make", "deploy"), ("make",), ("make", "test", "deploy"), ("python3", "-c", "1"), ("./make", "test")),
        *(("sh", "-c", "make -s x; id"), ("sh", "-c"), ("sh",), ("bash", "-c", "make -s x"), ("cat", "docs/a.txt")),
        *(("cat", "-docs/a.md"), ("cat", "/docs/a.md"), (), ("",)),
    ],
)
def test_any_other_is_refused_with_the_list(argv: tuple[str, ...]) -> None:
    refusal = RUN.refusal_to_run(argv, OPEN)
    assert refusal is not None
    assert "is not on the list of commands: make test; python3 -m pytest ...;" in refusal


@pytest.mark.parametrize("argv", [("cat", "docs/\0.md"), ("cat", f"docs/{'x' * 50_000}.md")])
def test_what_no_process_can_be_given_is_refused(argv: tuple[str, ...]) -> None:
    refusal = RUN.refusal_to_run(argv, OPEN)
    assert refusal is not None
    assert "zero byte" in refusal


def test_an_argument_with_a_wildcard_takes_no_option() -> None:
    rules = ToolRules(run=(("cat", "*"),))
    assert rules.refusal_to_run(("cat", "a"), OPEN) is None
    assert rules.refusal_to_run(("cat", "--help"), OPEN) is not None


def test_a_session_lists_fewer_commands_and_none_of_its_own() -> None:
    narrow = SessionRules(run=(("make", "test"), ("make", "deploy")))
    assert RUN.refusal_to_run(("make", "test"), narrow) is None
    assert RUN.refusal_to_run(("make", "deploy"), narrow) is not None
    refusal = RUN.refusal_to_run(("python3", "-m", "pytest"), narrow)
    assert refusal is not None
    assert refusal.endswith("is not on the list of commands: make test")


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            ("sh", "-c", "*"),
            ("bash", "..."),
            ("/bin/sh", "-c", "make *"),
            ("env", "..."),
            ("python3", "..."),
            ("python3.11", "*"),
        ),
        *(("*", "test"), ("...",), (), ("make", "...", "test"), ("cat", "*" * 9)),
    ],
)
def test_a_pattern_that_would_let_anything_run_is_refused_when_it_is_read(pattern: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        ToolRules(run=(pattern,))
