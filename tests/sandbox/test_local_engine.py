"""An engine is found or started, and where neither can be, one sentence says why."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from deploy.local.container_engine import found as docker_module
from deploy.local.container_engine.found import DockerSettings, DockerUnavailable, docker_engine


async def enter(settings: DockerSettings) -> None:
    async with docker_engine(settings):
        raise AssertionError("there is no engine")


def nothing_found(_name: str) -> None:
    """As on a machine where nothing is installed."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Docker, whatever this one has."""
    monkeypatch.setattr(docker_module, "_STANDARD_SOCKET", "unix:///nonexistent/docker.sock")
    monkeypatch.setattr(shutil, "which", nothing_found)


async def test_an_address_where_nobody_answers_is_named(tmp_path: Path) -> None:
    settings = DockerSettings(host=f"unix://{tmp_path}/none.sock", cache=tmp_path)
    with pytest.raises(DockerUnavailable, match=r"none\.sock': start it, or unset the address"):
        await enter(settings)


@pytest.mark.usefixtures("bare")
async def test_without_root_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(DockerUnavailable, match="only root can start one: start Docker, or a rootless one"):
        await enter(DockerSettings(cache=tmp_path))


@pytest.mark.usefixtures("bare")
async def test_elsewhere_than_on_debian_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_module, "_DEBIAN", Path("/nonexistent"))
    with pytest.raises(DockerUnavailable, match="not Debian: install and start Docker"):
        await enter(DockerSettings(cache=tmp_path))


@pytest.mark.usefixtures("bare")
async def test_packages_that_cannot_be_had_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*argv: str) -> tuple[int, str]:
        return (0, "") if "update" in argv else (100, "E: Unable to locate package docker.io")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_module, "_DEBIAN", Path("/"))
    monkeypatch.setattr(docker_module, "_run", failing)
    with pytest.raises(DockerUnavailable, match=r"exit code 100\): 'E: Unable to locate"):
        await enter(DockerSettings(cache=tmp_path))


async def test_an_engine_that_does_not_come_up_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "dockerd"
    broken.write_text("#!/bin/sh\necho cannot-start-for-a-reason >&2\nexit 1\n")
    broken.chmod(0o755)
    for name in ("iptables", "ip"):
        (tmp_path / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_module, "_STANDARD_SOCKET", "unix:///nonexistent/docker.sock")
    with pytest.raises(DockerUnavailable, match="cannot-start-for-a-reason"):
        await asyncio.wait_for(enter(DockerSettings(cache=tmp_path / "c")), 20)


async def test_a_bridge_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*argv: str) -> tuple[int, str]:
        return (2, "RTNETLINK answers: Operation not permitted") if argv[0] == "ip" else (0, "")

    monkeypatch.setattr(docker_module, "_STANDARD_SOCKET", "unix:///nonexistent/docker.sock")
    monkeypatch.setattr(docker_module, "_run", failing)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_module, "_DEBIAN", Path("/"))
    with pytest.raises(DockerUnavailable, match="bridge 'banksman0'"):
        await enter(DockerSettings(cache=tmp_path))


async def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DockerUnavailable, match="too long for a socket"):
        await enter(DockerSettings(cache=tmp_path / ("d" * 100), userns_remap=True))


def test_our_own_engine_takes_nothing_of_another_one(tmp_path: Path) -> None:
    options = docker_module._options(DockerSettings(cache=tmp_path), "/run/short")
    assert f"--host=unix://{tmp_path}/docker/docker.sock" in options
    assert f"--data-root={tmp_path}/docker/data" in options
    assert "--bridge=banksman0" in options
    assert not any("tcp://" in option or "insecure" in option for option in options)
    remapped = docker_module._options(DockerSettings(cache=tmp_path, userns_remap=True), "/run/short")
    assert {"--userns-remap=default", "--bridge=banksman1", "--iptables=false"} <= set(remapped)


@pytest.mark.parametrize("written", ["", ".", "elsewhere"])
def test_ending_an_engine_removes_no_folder_that_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """A crash may leave the file empty, and an empty path is the folder that the process is in."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("kept")
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "runtime").write_text(str(tmp_path / written) if written == "elsewhere" else written)
    monkeypatch.chdir(tmp_path / "elsewhere")
    docker_module._stop(engine)
    assert (tmp_path / "elsewhere" / "mine").read_text() == "kept"
    assert not (engine / "runtime").exists()
