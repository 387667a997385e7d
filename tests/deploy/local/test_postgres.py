"""Which PostgreSQL is taken, and what `banksman doctor` says of it and of Pulumi."""

import sys
from pathlib import Path

import pytest

from deploy.images.pulumi_programs import PROVIDER, programs_folder
from deploy.local import postgres
from deploy.local.postgres import find_postgres
from deploy.local.pulumi_tools import survey_pulumi
from deploy.local.tools import ToolUnavailableError


def install(folder: Path, version: str) -> Path:
    """Something that answers like PostgreSQL's programs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("postgres", "initdb", "psql"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_WHEEL", "no_such_package_is_here")


async def test_one_on_path_comes_first(on_path: Path) -> None:
    install(on_path, "17.2 (Debian 17.2-1)")
    found = await find_postgres()
    assert (found.programs, found.version, found.major, found.how) == (on_path, "17.2", 17, "on PATH")
    assert found.environment is None


@pytest.mark.parametrize("version", ["15.18", "9.6", "nonsense"])
async def test_one_that_is_too_old_is_passed_over(on_path: Path, version: str) -> None:
    install(on_path, version)
    found = await find_postgres()
    assert (found.how, found.environment is not None) == ("from the locked wheel", True)
    assert found.programs.is_relative_to(sys.prefix)


async def test_one_that_lacks_a_program_is_passed_over(on_path: Path) -> None:
    (install(on_path, "17.2") / "initdb").unlink()
    assert (await find_postgres()).environment is not None


@pytest.mark.usefixtures("no_wheel")
async def test_without_any_the_way_to_get_one_is_said(on_path: Path) -> None:
    install(on_path, "15.18")
    with pytest.raises(ToolUnavailableError, match=r"PostgreSQL 16 or newer .* make install"):
        await find_postgres()


async def test_data_is_read_by_the_release_that_made_it(on_path: Path, tmp_path: Path) -> None:
    install(on_path, "17.2")
    for version, from_wheel in (("17", False), ("18", True), ("16", True)):
        (tmp_path / "PG_VERSION").write_text(f"{version}\n")
        found = await find_postgres(tmp_path)
        assert (found.major, found.environment is not None) == (int(version), from_wheel)


@pytest.mark.usefixtures("no_wheel")
async def test_what_is_missing_of_pulumi_is_told_with_the_way_to_get_it(on_path: Path, tmp_path: Path) -> None:
    reports = await survey_pulumi(tmp_path)
    assert [report.name for report in reports] == ["pulumi", "pulumi python host", "pulumi provider", "postgresql"]
    for report in reports:
        assert (report.found, report.required, report.path, report.how) == (False, False, None, None)
        assert report.needed_for
    assert "go.dev" in reports[0].how_to_get
    assert "make install" in reports[3].how_to_get
    assert on_path.exists()


async def test_what_is_there_of_pulumi_is_told_with_how_it_was_had(tmp_path: Path) -> None:
    folder = programs_folder(tmp_path)
    for name in ("pulumi", "pulumi-language-python", f"plugins/{PROVIDER}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    reports = await survey_pulumi(tmp_path)
    assert [report.version for report in reports[:3]] == ["3.200.0", "3.55.0", "0.1.0"]
    assert {report.how for report in reports[:3]} == {"in the cache, built with Go"}
    assert reports[3].found
