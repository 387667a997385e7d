"""Losing a branch: what goes with it, and its deletion only at the commit that was looked at."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import pytest

from connectors.errors import AuthDenied, Conflict, InvalidRequest, NotFound, Unavailable
from connectors.github.branch import BranchLoss
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git

WRITE = {"contents": "write"}


@pytest.fixture
def topic(shop: Shop) -> Iterator[str]:
    """A branch `topic/x` with two commits of its own on top of `main`; its name goes again with the test."""
    tree = git("rev-parse", f"{shop.main}^{{tree}}", at=shop.bare)
    first = git("commit-tree", tree, "-p", shop.main, "-m", "First", at=shop.bare)
    second = git("commit-tree", tree, "-p", first, "-m", "Second\n\nmore words", at=shop.bare)
    git("update-ref", "refs/heads/topic/x", second, at=shop.bare)
    yield second
    git("update-ref", "-d", "refs/heads/topic/x", at=shop.bare)


async def loss(twin: Served, branch: str) -> BranchLoss:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"contents": "read"}
    ) as session:
        return await session.branch_loss(branch)


async def still_wanted() -> None: ...


async def deleted(
    twin: Served,
    branch: str,
    head: str,
    *,
    permissions: dict[str, str] = WRITE,
    last_look: Callable[[], Awaitable[None]] = still_wanted,
    patience: int = 10,
) -> bool:
    app = twin.github(timeout=patience)
    async with app.session(twin.credentials, repository="acme/shop", permissions=permissions) as session:
        return await session.delete_branch(branch, expected_head=head, last_look=last_look)


def head(shop: Shop, branch: str = "topic/x") -> str:
    return git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", at=shop.bare)


async def test_what_only_this_branch_holds_is_lost(twin: Served, shop: Shop, topic: str) -> None:
    found = await loss(twin, "topic/x")
    assert found.head == topic
    listed = git("rev-list", "refs/heads/topic/x", "--not", "main", at=shop.bare).split()
    assert {one.sha for one in found.commits} == set(listed)
    assert {one.subject for one in found.commits} == {"First", "Second"}
    assert "author@example.com" in found.commits[0].author


async def test_a_commit_that_another_branch_or_a_tag_holds_is_not_lost(twin: Served, shop: Shop, topic: str) -> None:
    git("update-ref", "refs/tags/kept", f"{topic}^", at=shop.bare)
    try:
        assert [one.subject for one in (await loss(twin, "topic/x")).commits] == ["Second"]
        git("update-ref", "refs/heads/twin-of-it", topic, at=shop.bare)
        assert (await loss(twin, "topic/x")).commits == ()
    finally:
        git("update-ref", "-d", "refs/tags/kept", at=shop.bare)
        with contextlib.suppress(Exception):
            git("update-ref", "-d", "refs/heads/twin-of-it", at=shop.bare)


async def test_a_pull_requests_own_ref_keeps_nothing(twin: Served, shop: Shop, topic: str) -> None:
    git("update-ref", "refs/pull/9/head", topic, at=shop.bare)
    try:
        assert len((await loss(twin, "topic/x")).commits) == 2
    finally:
        git("update-ref", "-d", "refs/pull/9/head", at=shop.bare)


async def test_a_branch_that_is_not_there_is_named(twin: Served) -> None:
    with pytest.raises(NotFound, match="'nowhere'"):
        await loss(twin, "nowhere")


async def test_it_is_deleted_at_the_commit_that_was_looked_at(twin: Served, shop: Shop, topic: str) -> None:
    assert await deleted(twin, "topic/x", topic)
    assert head(shop) == ""
    assert head(shop, "main") == shop.main


async def test_one_that_moved_before_is_kept(twin: Served, shop: Shop, topic: str) -> None:
    with pytest.raises(Conflict, match="is kept"):
        await deleted(twin, "topic/x", shop.main)
    assert head(shop) == topic


async def test_one_that_moves_between_look_and_deletion_is_kept(twin: Served, shop: Shop, topic: str) -> None:
    twin.plant(kind="delay", method="POST", path="/git-receive-pack$", seconds=2)
    deleting = asyncio.create_task(deleted(twin, "topic/x", topic))
    await on_its_way(twin)
    # The advertisement has been read, and the deletion is on its way: now somebody pushes.
    git("update-ref", "refs/heads/topic/x", shop.feature, at=shop.bare)
    with pytest.raises(Conflict, match=rf"moved from {topic[:12]} to {shop.feature[:12]}"):
        await deleting
    assert head(shop) == shop.feature


async def on_its_way(twin: Served) -> None:
    """Until the request that deletes has arrived."""
    async with asyncio.timeout(20):
        while not any(str(one["path"]).endswith("/git-receive-pack") for one in twin.requests()):  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("cancels", [1, 3], ids=["once", "again and again"])
async def test_a_cancellation_waits_for_the_deletion_that_is_on_its_way(
    twin: Served, shop: Shop, topic: str, cancels: int
) -> None:
    twin.plant(kind="delay", method="POST", path="/git-receive-pack$", seconds=1)
    deleting = asyncio.create_task(deleted(twin, "topic/x", topic))
    await on_its_way(twin)
    for _ in range(cancels):
        deleting.cancel()
        await asyncio.sleep(0)
    assert await deleting, "it says what happened"
    assert head(shop) == ""


async def test_a_cancellation_does_not_hide_that_nobody_knows(twin: Served, topic: str) -> None:
    twin.plant(kind="delay", method="POST", path="/git-receive-pack$", seconds=60)
    deleting = asyncio.create_task(deleted(twin, "topic/x", topic, patience=1))
    await on_its_way(twin)
    deleting.cancel()
    with pytest.raises(Unavailable):
        await deleting


async def test_a_cancellation_before_anything_was_sent_is_one(twin: Served, shop: Shop, topic: str) -> None:
    looks, looked = asyncio.Event(), asyncio.Event()

    async def last_look() -> None:
        looks.set()
        await looked.wait()

    deleting = asyncio.create_task(deleted(twin, "topic/x", topic, last_look=last_look))
    await looks.wait()
    deleting.cancel()
    await asyncio.sleep(0)
    looked.set()
    with pytest.raises(asyncio.CancelledError):
        await deleting
    assert not any(str(one["path"]).endswith("/git-receive-pack") for one in twin.requests())
    assert head(shop) == topic
    assert twin.live_tokens == 0


async def test_a_lost_answer_is_made_good_by_asking_again(twin: Served, shop: Shop, topic: str) -> None:
    twin.plant(kind="drop_after_effect", method="POST", path="/git-receive-pack$")
    with pytest.raises(Unavailable):
        await deleted(twin, "topic/x", topic)
    assert head(shop) == ""
    assert not await deleted(twin, "topic/x", topic)


async def test_the_default_branch_is_refused(twin: Served, shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="refuses to delete 'main'"):
        await deleted(twin, "main", shop.main)
    assert head(shop, "main") == shop.main


async def test_a_token_that_only_reads_deletes_nothing(twin: Served, shop: Shop, topic: str) -> None:
    with pytest.raises(AuthDenied, match="permission"):
        await deleted(twin, "topic/x", topic, permissions={"contents": "read"})
    assert head(shop) == topic


async def test_the_default_branch_is_told(twin: Served, topic: str) -> None:
    assert topic
    assert (await loss(twin, "main")).default
    assert not (await loss(twin, "topic/x")).default
