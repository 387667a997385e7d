"""How tools are found; what is fetched is shown by the test of docker-compose.yml, which runs it."""

import sys
from pathlib import Path

import pytest

from deploy.local import tools
from deploy.local.tools import Tool, ToolUnavailableError, resolve, survey


def _program(folder: Path, name: str, text: str) -> None:
    folder.joinpath(name).write_text(f"#!/bin/sh\n{text}\n")
    folder.joinpath(name).chmod(0o755)


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


async def test_a_survey_tells_of_every_tool_what_is_known() -> None:
    reports = {report.name: report for report in await survey()}

    assert reports.keys() == {tool.value for tool in Tool}
    assert reports["python"].path == sys.executable
    assert reports["python"].version == ".".join(map(str, sys.version_info[:3]))
    assert reports["git"].found
    assert reports["temporal"].found
    assert reports["bao"].found
    for report in reports.values():
        assert report.needed_for
        assert report.how_to_get
        assert report.found == (report.version is not None) == (report.path is not None)


async def test_what_is_missing_is_said_with_the_way_to_get_it(empty_path: Path) -> None:
    reports = {report.name: report for report in await survey()}

    assert not reports["git"].found
    assert reports["git"].required
    assert "install" in reports["git"].how_to_get
    with pytest.raises(ToolUnavailableError, match=r"https://go\.dev"):
        await resolve(Tool.GO)


async def test_a_tool_that_is_too_old_is_not_taken(empty_path: Path) -> None:
    _program(empty_path, "docker-compose", "echo 1.29.2")
    reports = {report.name: report for report in await survey()}
    assert not reports["docker compose"].found

    _program(empty_path, "docker-compose", "echo v2.39.1")
    found = await resolve(Tool.COMPOSE)
    assert found.command == (str(empty_path / "docker-compose"),)
    assert found.version == "2.39.1"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("[name=seccomp,profile=default name=userns]", True),
        ("[name=seccomp,profile=default name=rootless]", True),
        ("[name=apparmor name=seccomp,profile=default]", False),
    ],
)
async def test_an_engine_without_user_namespaces_is_told_with_the_risk(
    empty_path: Path, options: str, found: bool
) -> None:
    _program(empty_path, "docker", f"echo '{options}'")
    report = next(one for one in await survey() if one.name == "user namespace")
    assert report.found is found
    assert "one flaw in the kernel is enough" in report.needed_for
    assert "userns-remap" in report.how_to_get


async def test_the_plugin_of_docker_comes_first(empty_path: Path) -> None:
    _program(empty_path, "docker", '[ "$1" = compose ] && echo 2.30.0')
    _program(empty_path, "docker-compose", "echo 2.29.0")

    found = await resolve(Tool.COMPOSE)

    assert found.command == (str(empty_path / "docker"), "compose")


async def test_a_tool_that_fails_or_hangs_counts_as_missing(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_PROBE_SECONDS", 0.2)
    _program(empty_path, "go", "exec /bin/sleep 30")
    _program(empty_path, "git", "echo git version 2.0; exit 1")
    reports = {report.name: report for report in await survey()}

    assert not reports["go"].found
    assert not reports["git"].found


async def test_what_is_in_the_cache_is_taken(empty_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "docker-compose-v2.40.3"
    folder.mkdir()
    _program(folder, "docker-compose", "exit 0")

    found = await resolve(Tool.COMPOSE, cache=tmp_path)

    assert found.command == (str(folder / "docker-compose"),)
    assert found.how == "in the cache"
