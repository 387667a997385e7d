"""The features of a demonstration: always a next one, each passes its own test, and each fails as it is meant to."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.demo.features import (
    MANIFEST,
    MIGRATIONS,
    READ,
    SERVER,
    TEST,
    WINDOW,
    Change,
    facts_of,
    next_feature,
    with_a_letter_lost,
    with_a_migration_that_fails,
    with_a_page_that_fails,
)
from deploy.local.demo.terminal import DemoFailed
from deploy.local.example import copy_feature, copy_service
from workflows.manifest.reading import read_manifest

_PYTHON = [sys.executable, "-B"]
"""Two versions of a file within a second may have one length: Python would take the bytecode of the first for both."""
_TESTS = ["-m", "unittest", "discover", "--start-directory", "tests", "--top-level-directory", "."]


@pytest.fixture(params=["main", "basket"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The service as it is on its main branch at first, and with the feature that a pull request is open for."""
    made = tmp_path / "shop"
    copy_service(made)
    if request.param == "basket":
        copy_feature(made)
    return made


def files(shop: Path) -> dict[str, str]:
    migrations = (path.relative_to(shop).as_posix() for path in (shop / MIGRATIONS).rglob("*.sql"))
    return {path: (shop / path).read_text() for path in (*READ, *migrations)}


def apply(shop: Path, change: Mapping[str, str]) -> None:
    for path, text in change.items():
        (shop / path).write_text(text)


def own_tests(shop: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*_PYTHON, *_TESTS], cwd=shop, capture_output=True, text=True, check=False)


def page(shop: Path) -> str:
    """With one product, of which something is known for each column."""
    line = "from app.window import FACTS, page; print(page([[1, 'Hard hat', 2900, *FACTS]], 1, []))"
    return subprocess.run([*_PYTHON, "-c", line], cwd=shop, capture_output=True, text=True, check=True).stdout


def test_there_is_always_a_next_one_which_is_seen_and_passes_its_test(shop: Path) -> None:
    seen, columns = list[str](), set[str]()
    for _ in range(13):
        before, change = page(shop), next_feature(files(shop))
        assert change.sees not in before, change.title
        apply(shop, change.files)
        assert change.sees in page(shop)
        assert facts_of(files(shop)) == change.facts
        assert len(change.facts) <= 4
        [made] = re.findall(r"ADD COLUMN (\w+) text", change.files[change.migration])
        assert made in change.facts
        assert made not in columns, "what an older release reads stays as it is"
        columns.add(made)
        seen.append(change.title)
    done = own_tests(shop)
    assert done.returncode == 0, done.stderr
    assert seen[0] == seen[10] != seen[1]


def test_each_is_what_the_one_before_left_and_has_a_way_back(shop: Path) -> None:
    for number in range(2, 13):
        change = next_feature(files(shop))
        apply(shop, change.files)
        done = own_tests(shop)
        assert done.returncode == 0, done.stderr
        assert change.migration.startswith(f"{MIGRATIONS}/{number:04}-")
        up = shop / change.migration
        assert "DROP COLUMN" in (up.parent / "down" / up.name).read_text()


def test_a_letter_that_is_lost_fails_the_test_that_comes_with_it(shop: Path) -> None:
    apply(shop, with_a_letter_lost(next_feature(files(shop))).files)
    done = own_tests(shop)
    assert done.returncode == 1
    assert "FAILED (failures=1)" in done.stderr


def test_a_migration_that_fails_passes_all_tests_and_does_something_first(shop: Path) -> None:
    change = with_a_migration_that_fails(next_feature(files(shop)))
    apply(shop, change.files)
    assert own_tests(shop).returncode == 0
    first, last = change.files[change.migration].split("\n", 1)
    assert first.startswith("ALTER TABLE products ADD COLUMN")
    assert "REFERENCES customers" in last


def test_a_page_that_fails_passes_all_tests_and_has_little_time_to_be_well(shop: Path) -> None:
    before = files(shop)
    change = with_a_page_that_fails(next_feature(before), before)
    apply(shop, change.files)
    assert own_tests(shop).returncode == 0
    assert "self._answer(500" in change.files[SERVER]
    manifests = [read_manifest(text.encode()).manifest for text in (before[MANIFEST], change.files[MANIFEST])]
    assert [one.verify.within for one in manifests if one.verify] == ["5m", "15s"]


@pytest.mark.parametrize(
    "window", ["", "FACTS = load()\n", "FACTS: dict[str, str] = {\n", "FACTS: dict[str, str] = {a}\n"]
)
def test_a_page_that_was_written_anew_is_said_in_one_sentence(shop: Path, window: str) -> None:
    with pytest.raises(DemoFailed, match="put it back"):
        next_feature({**files(shop), WINDOW: window})


def test_a_server_that_was_written_anew_is_not_broken(shop: Path) -> None:
    before = files(shop)
    feature: Change = next_feature(before)
    down = feature.migration.replace(MIGRATIONS, f"{MIGRATIONS}/down")
    assert set(feature.files) == {WINDOW, TEST, feature.migration, down}
    with pytest.raises(DemoFailed, match="written anew"):
        with_a_page_that_fails(feature, {**before, SERVER: "print('hello')"})
