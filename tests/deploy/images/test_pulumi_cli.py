"""Pulumi's programs: from PATH, else from their release, else from source; never another version or half of them."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deploy.images import pulumi_cli
from deploy.images.pulumi_cli import CLI_VERSION, HOW, PROGRAMS, place_pulumi
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.tools import DEFAULT_CACHE, Resolved, Tool, ToolUnavailableError
from tests.deploy.images.conftest import Web

PLACE = f"{CLI_VERSION}/"
LIST = f"{PLACE}pulumi-{CLI_VERSION.removeprefix('v')}-checksums.txt"
SCRIPT = f"#!/bin/sh\necho {CLI_VERSION}\n"

Pack = Callable[[Mapping[str, bytes]], bytes]


def tell(line: str) -> None:
    sys.stderr.write(f"» {line}\n")


@pytest.fixture(scope="session")
def programs() -> Path:
    """The real ones, had once on a machine."""
    try:
        return asyncio.run(pulumi_programs(DEFAULT_CACHE, progress=tell))
    except ToolUnavailableError as reason:
        pytest.skip(f"Pulumi cannot be had: {reason}")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, and empty: so there is no Go, either."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(pulumi_cli.platform, "machine", lambda: "x86_64")
    return "x64"


def release(web: Web, packed: Pack, *, digest: str = "", leave_out: str = "") -> None:
    files = {f"pulumi/{name}": f"released {name}".encode() for name in PROGRAMS if name != leave_out}
    name = f"pulumi-{CLI_VERSION}-linux-x64.tar.gz"
    real = web.put(f"{PLACE}{name}", packed({**files, "pulumi/pulumi-watch": b"more"}))
    web.put(LIST, f"{'0' * 64}  pulumi-{CLI_VERSION}-linux-arm64.tar.gz\n{digest or real}  {name}\n".encode())


async def place(into: Path, web: Web) -> str:
    return await place_pulumi(into, progress=web.told.append, releases=web.url)


async def test_what_is_on_path_in_this_version_is_taken(programs: Path, path: Path, into: Path, web: Web) -> None:
    installed = path.parent / "installed"
    installed.mkdir()
    for name in PROGRAMS:
        shutil.copy(programs / name, installed / name)
    (path / "pulumi").symlink_to(installed / "pulumi")
    assert await place(into, web) == f"on PATH, in {installed}"
    assert {name: (into / name).read_bytes() for name in PROGRAMS} == {
        name: (programs / name).read_bytes() for name in PROGRAMS
    }
    assert (into / HOW).read_text() == f"on PATH, in {installed}"
    assert web.told == []


@pytest.mark.parametrize("said", ["v3.199.0", f"{CLI_VERSION}-alpha", ""])
async def test_another_version_on_path_is_left_there(
    path: Path, into: Path, web: Web, packed: Pack, machine: str, said: str
) -> None:
    for name in PROGRAMS:
        path.joinpath(name).write_text(f"#!/bin/sh\necho {said}\n")
        path.joinpath(name).chmod(0o755)
    release(web, packed)
    assert await place(into, web) == "from its official release"


@pytest.mark.parametrize("content", [SCRIPT, f"{SCRIPT}# \x7fELF /lib64/ld-linux-x86-64.so.2"])
async def test_what_cannot_run_in_a_container_is_left_on_path(
    path: Path, into: Path, web: Web, packed: Pack, machine: str, content: str
) -> None:
    """A wrapper, as some systems install it, or a program that is linked to libraries beside it."""
    for name in PROGRAMS:
        path.joinpath(name).write_text(content)
        path.joinpath(name).chmod(0o755)
    release(web, packed)
    assert await place(into, web) == "from its official release"


@pytest.mark.parametrize(
    ("content", "static"),
    [
        (b"\x7fELF" + bytes(100), True),
        (b"\x7fELF" + bytes(100) + b"/lib64/ld-linux-x86-64.so.2", False),
        (b"\xcf\xfa\xed\xfe" + bytes(100), False),
        (b"", False),
    ],
)
def test_a_static_program_is_known_by_its_first_page(tmp_path: Path, content: bytes, static: bool) -> None:
    (tmp_path / "program").write_bytes(content)
    assert pulumi_cli._is_static(tmp_path / "program") is static


async def test_the_release_is_taken_when_it_is_what_its_list_says(
    path: Path, into: Path, web: Web, packed: Pack, machine: str
) -> None:
    release(web, packed)
    assert await place(into, web) == "from its official release"
    assert {one.name: one.read_bytes() for one in into.iterdir()} == {
        **{name: f"released {name}".encode() for name in PROGRAMS},
        HOW: b"from its official release",
    }
    assert {one.name for one in into.iterdir() if one.stat().st_mode & 0o111} == set(PROGRAMS[:2])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"digest": "1" * 64}, "has another digest"),
        ({"leave_out": "pulumi-language-python"}, "has no 'pulumi-language-python'"),
    ],
)
async def test_a_release_that_is_not_what_is_wanted_is_refused(
    path: Path, into: Path, web: Web, packed: Pack, machine: str, change: Mapping[str, str], why: str
) -> None:
    release(web, packed, **change)
    with pytest.raises(ToolUnavailableError, match=why) as caught:
        await place(into, web)
    assert "not on PATH" in str(caught.value)
    assert "https://go.dev" in str(caught.value)
    assert not (into / HOW).exists()


async def test_a_list_without_this_file_is_refused(
    path: Path, into: Path, web: Web, packed: Pack, machine: str
) -> None:
    release(web, packed)
    web.put(LIST, b"")
    with pytest.raises(ToolUnavailableError, match="does not list"):
        await place(into, web)


async def test_a_machine_without_a_release_is_told(
    path: Path, into: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi_cli.platform, "machine", lambda: "riscv64")
    with pytest.raises(ToolUnavailableError, match="no release for 'riscv64'"):
        await place(into, web)


async def test_where_nothing_can_be_had_go_builds_it(
    path: Path, into: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Go's own part takes minutes, and the image's tests show what it made."""

    async def go(tool: Tool) -> Resolved:
        assert tool is Tool.GO
        return Resolved(("go",), "1.26", "on PATH")

    async def build(_go: Resolved, folder: Path) -> None:
        for name in PROGRAMS:
            (folder / name).write_text("built")

    monkeypatch.setattr(pulumi_cli, "resolve", go)
    monkeypatch.setattr(pulumi_cli, "_build", build)
    assert await place(into, web) == pulumi_cli.BUILT
    assert "404" in web.told[-1]
    assert "building it with Go" in web.told[-1]
