"""Patterns of paths mean what git makes of them, and nobody's pattern takes long."""

from pathlib import Path

import pytest

from hitl.policy.path_patterns import only_takes_away, touches
from tests.connectors.github.shop import git

PATTERNS = (
    *("*.md", "/*.md", "src/", "src/**", "/src/*", "src/*.py", "**/a.py", "src/**/a.py", "a?py", "[a-m]*.py", "[!a]*"),
    *("**", "docs", "/docs", "x/docs/", "src/app", "nothing", "a\\*", "s*/**/t*t.py", "*", "**/x/**", "a.[po]y"),
)
PATHS = (
    *("README.md", "src/README.md", "src/a.py", "src/app/a.py", "src/app/deep/er/a.py", "a.py", "z.py", "docs"),
    *("x/docs/a", "docs/x/y", "src/app/test.py", "a*", "x/y/z", "source/a", "a.oy", "srcs/a"),
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_fits_what_git_says_that_it_fits(tmp_path: Path, pattern: str) -> None:
    git("init", "--quiet", at=tmp_path)
    (tmp_path / ".git" / "info" / "exclude").write_text(f"{pattern}\nnever-there\n")
    asked = [*PATHS, "never-there"]  # git fails where it finds none
    told = git("check-ignore", "--no-index", *asked, at=tmp_path).splitlines()
    assert [one for one in PATHS if touches([one], [pattern])] == [one for one in told if one != "never-there"]


def test_the_last_pattern_that_fits_a_path_counts_and_one_path_is_enough() -> None:
    service = ["services/cart/", "!*.md", "services/cart/README.md"]
    assert touches(["services/cart/a.py"], service)
    assert touches(["services/cart/README.md"], service)
    assert not touches(["services/cart/docs/a.md", "services/mail/a.py", "services/carts/a.py"], service)
    assert touches(["x.md", "services/cart/x"], service)
    assert not touches([], ["**"])
    assert only_takes_away(["!a", "!b"])
    assert not only_takes_away(["a", "!b"])


@pytest.mark.parametrize("pattern", ["a*" * 99 + "b", "**/" * 60 + "x", "[a-z]*" * 30 + "!", "*?" * 90 + "/"])
def test_no_pattern_takes_long(pattern: str) -> None:
    assert not touches(["/".join(["a" * 30] * 30), "a" * 3000], [pattern])  # else the test's own time limit ends it


@pytest.mark.parametrize("pattern", ["[", "[]", "[a", "a]", "\\", "!", "/", "//", "***", "!!a", "[z-a]", "[^]"])
def test_whatever_is_written_is_read(pattern: str) -> None:
    assert touches(["a/b", "b"], [pattern]) in {True, False}
