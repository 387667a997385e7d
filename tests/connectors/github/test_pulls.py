"""What the client makes of pull requests, each answer of the twin's as GitHub describes it."""

from pathlib import Path

import pytest

from connectors.errors import AuthDenied, Conflict
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git

PERMISSIONS = {"contents": "write", "pull_requests": "write", "checks": "write"}


async def no_look() -> None:
    """Nothing has changed meanwhile."""


def place(shop: Shop, name: str) -> tuple[str, str]:
    """A branch, and one to merge it into, at the feature and at `main`."""
    head, base = f"pulls/{name}", f"pulls/{name}-base"
    git("update-ref", f"refs/heads/{head}", shop.feature, at=shop.bare)
    git("update-ref", f"refs/heads/{base}", shop.main, at=shop.bare)
    return head, base


async def test_every_answer_is_as_github_describes_it(twin: Served, shop: Shop) -> None:
    head, base = place(shop, "described")  # the fixture `twin` judges every exchange of a test without faults
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        opened = await session.writes.open_pull_request(head, base=base, title="T", body="B")
        found = await session.pulls.open_of(head, base=None)
        assert found == await session.pulls.get(opened.number)
        assert found is not None
        assert found.changed_files == len(git("diff", "--name-only", shop.main, shop.feature, at=shop.bare).split())
        bearer = {"Authorization": f"Bearer {twin.recorder.bearers[-1]}"}
        reviews = f"/repos/acme/shop/pulls/{opened.number}/reviews"
        said = twin.hands.post(reviews, json={"event": "REQUEST_CHANGES", "body": "no"}, headers=bearer)
        assert said.status_code == 200
        assert twin.hands.post(reviews, json={"event": "APPROVE"}, headers=bearer).status_code == 422
        assert [one.verdict for one in await session.pulls.reviews(opened.number)] == ["changes_requested"]
        assert await session.pulls.checks(shop.feature) == []
        with pytest.raises(Conflict, match="Head branch was modified"):
            await session.pulls.merge(opened.number, head="0" * 40, method="merge", last_look=no_look)
        merged = await session.pulls.merge(opened.number, head=shop.feature, method="squash", last_look=no_look)
        with pytest.raises(Conflict, match="not mergeable"):
            await session.pulls.merge(opened.number, head=shop.feature, method="squash", last_look=no_look)
        now = await session.pulls.get(opened.number)
    assert (now.merged, now.state, now.merge_commit_sha) == (True, "closed", merged)
    assert git("rev-parse", base, at=shop.bare) == merged


async def test_a_required_check_that_has_not_succeeded_holds_the_merge_back(make_twin: MakeTwin, shop: Shop) -> None:
    twin = make_twin(required={"acme/shop": ["tests"]})
    head, base = place(shop, "required")
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        number = (await session.writes.open_pull_request(head, base=base, title="T", body="")).number
        assert (await session.pulls.get(number)).mergeable_state == "blocked"
        with pytest.raises(Conflict, match='"tests" is expected'):
            await session.pulls.merge(number, head=shop.feature, method="merge", last_look=no_look)
        assert git("rev-parse", base, at=shop.bare) == shop.main
        await session.writes.check_run(
            shop.feature, "tests", conclusion="success", title="t", summary="s", key="goal-1/check"
        )
        assert (await session.pulls.get(number)).mergeable_state == "clean"
        await session.pulls.merge(number, head=shop.feature, method="merge", last_look=no_look)
    assert git("rev-parse", f"{base}^2", at=shop.bare) == shop.feature


async def test_a_token_that_may_not_write_contents_merges_nothing(twin: Served, shop: Shop) -> None:
    head, base = place(shop, "narrow")
    narrow = {"pull_requests": "write", "contents": "read"}
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=narrow) as session:
        number = (await session.writes.open_pull_request(head, base=base, title="T", body="")).number
        with pytest.raises(AuthDenied):
            await session.pulls.merge(number, head=shop.feature, method="merge", last_look=no_look)
    assert git("rev-parse", base, at=shop.bare) == shop.main


async def test_what_git_does_not_keep_outlives_the_twins_process(
    make_twin: MakeTwin, shop: Shop, tmp_path: Path
) -> None:
    head, base = place(shop, "kept")
    first = make_twin(beside=tmp_path)
    async with first.github().session(first.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        number = (await session.writes.open_pull_request(head, base=base, title="T", body="")).number
        merged = await session.pulls.merge(number, head=shop.feature, method="merge", last_look=no_look)
    second = make_twin(beside=tmp_path)
    async with second.github().session(second.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        found = await session.pulls.get(number)
    assert (found.merged, found.merge_commit_sha, found.head.sha) == (True, merged, shop.feature)


async def test_one_whose_commits_came_in_by_a_push_is_called_merged(twin: Served, shop: Shop) -> None:
    head, base = place(shop, "pushed")
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        number = (await session.writes.open_pull_request(head, base=base, title="T", body="")).number
        git("update-ref", f"refs/heads/{base}", shop.feature, at=shop.bare)
        again = git("commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "More", at=shop.bare)
        git("update-ref", f"refs/heads/{base}", again, at=shop.bare)
        found = await session.pulls.get(number)
    assert (found.merged, found.merge_commit_sha) == (True, again)


async def test_one_whose_branch_was_deleted_is_closed(twin: Served, shop: Shop) -> None:
    head, base = place(shop, "deleted")
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        number = (await session.writes.open_pull_request(head, base=base, title="T", body="")).number
        assert (await session.pulls.get(number)).state == "open"
        git("update-ref", "-d", f"refs/heads/{head}", at=shop.bare)
        found = await session.pulls.get(number)
        with pytest.raises(Conflict):
            await session.pulls.merge(number, head=shop.feature, method="merge", last_look=no_look)
    assert (found.state, found.merged, found.head.sha) == ("closed", False, shop.feature)


async def test_a_page_shows_that_it_is_merged_and_what_it_changed(make_twin: MakeTwin, shop: Shop) -> None:
    twin = make_twin()
    head, base = place(shop, "shown")
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        number = (await session.writes.open_pull_request(head, base=base, title="T", body="")).number
        await session.pulls.merge(number, head=shop.feature, method="squash", last_look=no_look)
    page = twin.hands.get(f"/acme/shop/pull/{number}", headers={"Accept": "text/html"}).text
    assert 'class="check merged">merged' in page
    assert "with a cart" in page
