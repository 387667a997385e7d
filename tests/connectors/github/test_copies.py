"""A copied repository behind another twin: every branch and tag where it stood, and its open pull requests."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.github.copy import CopiedCheck, CopiedPull, CopiedRepository, CopiedReview
from connectors.github.twin.copies import DESCRIBED, OBJECTS, CopyUnusable, bring_copies
from connectors.github.twin.writes import kept_besides_git
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git

READ = {"contents": "read", "pull_requests": "read", "checks": "read"}
PULL = CopiedPull(
    number=12,
    title="A cart",
    head="feature/cart",
    base="main",
    draft=False,
    commit="c" * 40,
    reviews=(CopiedReview(person="alice", verdict="approved", commit=None),),
    checks=(CopiedCheck(name="tests", conclusion="success"), CopiedCheck(name="lint", conclusion=None)),
)


async def copied(twin: Served) -> tuple[CopiedRepository, bytes]:
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=READ) as session:
        return await session.copy()


def kept(folder: Path, described: CopiedRepository, objects: bytes) -> Path:
    into = folder / "copies" / "acme" / "shop"
    into.mkdir(parents=True)
    (into / DESCRIBED).write_text(described.model_dump_json())
    (into / OBJECTS).write_bytes(objects)
    return folder / "copies"


def refs(at: Path) -> str:
    return git("for-each-ref", "refs/heads", "refs/tags", at=at)


async def test_all_of_it_stands_where_it_stood(twin: Served, shop: Shop, tmp_path: Path) -> None:
    described, objects = await copied(twin)
    with_pull = described.model_copy(update={"pulls": (PULL,)})
    await bring_copies(kept(tmp_path, with_pull, objects), tmp_path / "bare", tmp_path)
    there = tmp_path / "bare" / "acme" / "shop.git"
    assert refs(there) == refs(shop.bare)
    assert git("symbolic-ref", "HEAD", at=there) == git("symbolic-ref", "HEAD", at=shop.bare)
    assert git("fsck", "--connectivity-only", at=there) == git("fsck", "--connectivity-only", at=shop.bare)
    beside = kept_besides_git(tmp_path / "acme.shop.json")
    (pull,) = beside.pulls
    assert (pull.number, pull.title, pull.head, pull.reviews[0].state) == (12, "A cart", "feature/cart", "APPROVED")
    assert [(one.name, one.status, one.conclusion) for one in beside.checks] == [
        ("tests", "completed", "success"),
        ("lint", "in_progress", None),
    ]


@pytest.mark.parametrize(
    "changed",
    [{"refs": {"refs/heads/main": "a" * 40}}, {"refs": {"refs/heads/../../x": "a" * 40}}, {"default_branch": "a..b"}],
)
async def test_what_is_no_copy_is_named(twin: Served, tmp_path: Path, changed: Mapping[str, object]) -> None:
    described, objects = await copied(twin)
    copies = kept(tmp_path, described.model_copy(update=changed), objects)
    with pytest.raises(CopyUnusable, match="'acme/shop' cannot be put behind"):
        await bring_copies(copies, tmp_path / "bare", tmp_path)


async def test_a_pack_that_was_cut_is_refused(twin: Served, tmp_path: Path) -> None:
    described, objects = await copied(twin)
    with pytest.raises(CopyUnusable, match="cannot be put behind"):
        await bring_copies(kept(tmp_path, described, objects[:-30]), tmp_path / "bare", tmp_path)
