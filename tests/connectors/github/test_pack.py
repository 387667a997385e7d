"""A commit as a pack: carried whole and unopened, with a token that goes nowhere else."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, Unavailable
from connectors.github import pack
from connectors.github.pack import Pack
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import LARGE, STRANGE_NAMES, Shop, git

READ = {"contents": "read"}


async def fetched(twin: Served, ref: str | None = None, *, repository: str = "acme/shop") -> Pack:
    github = twin.github()
    async with github.session(twin.credentials, repository=repository, permissions=READ) as session:
        return await session.fetch_pack(ref=ref)


def unpacked(found: Pack, into: Path) -> Path:
    """What git makes of it, far from any remote."""
    git("init", "--quiet", ".", at=into)
    subprocess.run(["git", "index-pack", "--stdin"], cwd=into, input=found.content, check=True, capture_output=True)
    (into / ".git" / "shallow").write_text(f"{found.commit}\n")
    git("checkout", "--quiet", "--detach", found.commit, at=into)
    return into


@pytest.mark.parametrize("ref", [None, "main", "feature/cart", "v1.0"])
async def test_the_commit_of_a_ref_comes_whole(twin: Served, shop: Shop, tmp_path: Path, ref: str | None) -> None:
    found = await fetched(twin, ref)
    assert found.commit == (shop.feature if ref == "feature/cart" else shop.main)
    work = unpacked(found, tmp_path)
    assert (work / "large").read_bytes() == LARGE
    assert all((work / name).read_text() == f"this is {name}\n" for name in STRANGE_NAMES)
    assert git("rev-parse", "HEAD^{tree}", at=work) == git("rev-parse", f"{found.commit}^{{tree}}", at=shop.bare)


async def test_its_history_stays_there(twin: Served, shop: Shop, tmp_path: Path) -> None:
    work = unpacked(await fetched(twin, shop.feature), tmp_path)
    assert git("rev-list", "--count", "HEAD", at=work) == "1"


async def test_git_is_asked_with_the_sessions_own_token(twin: Served) -> None:
    await fetched(twin)
    asked = [f"{one['method']} {one['path']}" for one in twin.requests()]
    assert [re.sub(r"installations/\d+", "installations/N", line) for line in asked][-5:] == [
        "GET /repos/acme/shop",
        "GET /acme/shop.git/info/refs",
        "POST /acme/shop.git/git-upload-pack",
        "POST /acme/shop.git/git-upload-pack",
        "DELETE /installation/token",
    ]


@pytest.mark.parametrize(("repository", "ref"), [("acme/shop", "nowhere"), ("acme/none", None), ("acme/empty", None)])
async def test_what_is_not_there_is_named(twin: Served, repository: str, ref: str | None) -> None:
    with pytest.raises(NotFound, match=ref or repository):
        await fetched(twin, ref, repository=repository)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, Unavailable),
        ({"kind": "status", "status": 404}, NotFound),
        ({"kind": "status", "status": 401}, AuthDenied),
        ({"kind": "garbage"}, Unavailable),
        ({"kind": "drop"}, Unavailable),
    ],
    ids=["500", "404", "401", "garbage", "drop"],
)
@pytest.mark.parametrize("path", ["/info/refs", "/git-upload-pack"])
async def test_a_bad_day_of_the_git_host_is_told(
    twin: Served, path: str, fault: dict[str, object], error: type[ConnectorError]
) -> None:
    twin.plant(**fault, path=path)
    with pytest.raises(error) as caught:
        await fetched(twin)
    assert "ghs_" not in f"{caught.value!r} {caught.value}"


async def test_one_that_is_too_large_is_refused(twin: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MAX_PACK_BYTES", 1024 * 1024)
    with pytest.raises(InvalidRequest, match=r"'acme/shop' at .* is larger than 1 MiB"):
        await fetched(twin)


async def test_who_is_cancelled_does_not_wait_for_it(twin: Served) -> None:
    twin.plant(kind="delay", path="/git-upload-pack", seconds=3)
    fetching = asyncio.create_task(fetched(twin))
    async with asyncio.timeout(20):
        while not any("upload-pack" in str(one["path"]) for one in twin.requests()):  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(2):
            await fetching
