"""A repository that is called otherwise by now, belongs to another or is archived: a token follows its id, and stays.

Each test has repositories of its own, since it moves them.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from connectors.errors import AuthDenied, InvalidRequest, NotFound
from connectors.github.client import GitHubApp, app_jwt
from hitl.github.events import InstallationEvent, IssueCommentEvent, IssuesEvent, RepositoryEvent
from tests.connectors.description import FOLDER
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.listening import SECRET, Listener, listening
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop
from tests.connectors.github.test_hooks import act, problems, published

__all__ = ["published"]
_READ = {"contents": "read"}
_PUBLISHED = FOLDER / "github-webhooks.json"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def own_shop(shop: Shop, tmp_path: Path) -> Shop:
    return replace(shop, repositories=Path(shutil.copytree(shop.repositories, tmp_path / "repositories")))


@pytest.fixture
def twin(make_twin: MakeTwin, own_shop: Shop, listener: Listener) -> Served:
    hook = {"url": listener.address, "secret": SECRET.get_secret_value()}
    return make_twin(repositories=own_shop.repositories, limits={"hourly": 10**6, "points": 10**6}, hook=hook)


async def read(github: GitHubApp, twin: Served, *, seen: list[str] | None = None) -> bytes:
    renamed = seen.append if seen is not None else None
    opened = github.session(twin.credentials, repository="acme/shop", permissions=_READ, renamed=renamed)
    async with opened as session:
        return (await session.read_file("README.md")).content


def as_app(twin: Served, method: str, path: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {app_jwt(twin.credentials)}"}
    return twin.hands.request(method, path, headers=headers)


async def test_under_its_former_name_it_is_gone_on_with_once_whoever_decides_has_heard_the_new_one(
    twin: Served, listener: Listener
) -> None:
    github, seen = twin.github(), list[str]()
    before = await read(github, twin)
    act(twin, act="rename", name="store")
    assert await read(github, twin, seen=seen) == before, "also where the installation is known already"
    assert await read(twin.github(), twin, seen=seen) == before
    assert seen == ["acme/store"] * 2
    minted = [json.loads(one.request_body) for one in twin.recorder.exchanges if "access_tokens" in one.path]
    assert [set(one) & {"repositories", "repository_ids"} for one in minted[-1:]] == [{"repository_ids"}]
    assert twin.live_tokens == 0
    [told] = listener.wait(1)
    event = told.read()
    assert isinstance(event, RepositoryEvent)
    assert (event.action, event.formerly, event.repository.full_name) == ("renamed", "shop", "acme/store")


async def test_where_nobody_decides_on_the_new_name_it_is_refused_and_said(twin: Served) -> None:
    act(twin, act="rename", name="store")
    with pytest.raises(InvalidRequest, match="'acme/shop' is called 'acme/store' by now: ask for it by that name"):
        await read(twin.github(), twin)

    def no(name: str) -> None:
        raise ZeroDivisionError(name)

    with pytest.raises(ZeroDivisionError, match="acme/store"):
        async with twin.github().session(twin.credentials, repository="acme/shop", permissions=_READ, renamed=no):
            raise AssertionError("nothing is done before that is decided")
    assert twin.live_tokens == 0


async def test_given_to_another_owner_it_is_not_gone_on_with(twin: Served) -> None:
    seen = list[str]()
    act(twin, act="transfer", to="initech")
    with pytest.raises(
        InvalidRequest, match="'acme/shop' was given to 'initech', and nothing that was allowed for 'acme'"
    ):
        await read(twin.github(), twin, seen=seen)
    assert seen == []
    assert not [one for one in twin.recorder.exchanges if "access_tokens" in one.path], "no token was asked for"


async def test_given_to_where_the_app_is_not_it_is_not_installed(make_twin: MakeTwin, own_shop: Shop) -> None:
    twin = make_twin(repositories=own_shop.repositories, installed=["acme/shop", "acme/other"])
    act(twin, act="transfer", to="initech")
    with pytest.raises(NotFound, match="not installed on 'acme/shop'"):
        await read(twin.github(), twin, seen=[])


async def test_another_that_took_the_former_name_is_meant_by_it(twin: Served, own_shop: Shop) -> None:
    seen = list[str]()
    act(twin, act="rename", name="store")
    shutil.copytree(own_shop.repositories / "acme" / "store.git", own_shop.bare)
    await read(twin.github(), twin, seen=seen)
    assert seen == []


async def test_archived_it_is_read_and_a_write_is_refused_truthfully(twin: Served) -> None:
    act(twin, act="archive")
    assert await read(twin.github(), twin)
    writes = {"issues": "write"}
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=writes) as session:
        with pytest.raises(InvalidRequest, match="the repository is archived, so that it is only read"):
            await session.writes.label(1, ["late"])


async def test_uninstalled_and_suspended_are_said_as_what_they_are_and_told_as_events(
    twin: Served, listener: Listener
) -> None:
    github = twin.github()
    await read(github, twin)
    [path] = {f"/app/installations/{one['id']}" for one in as_app(twin, "GET", "/app/installations").json()[:1]}
    assert as_app(twin, "PUT", f"{path}/suspended").status_code == 204
    with pytest.raises(AuthDenied, match="the App is suspended there, and its owner can unsuspend it"):
        await read(github, twin)
    assert as_app(twin, "DELETE", f"{path}/suspended").status_code == 204
    await read(github, twin)
    assert as_app(twin, "DELETE", path).status_code == 204
    with pytest.raises(NotFound, match="not installed on 'acme/shop'"):
        await read(github, twin)
    events = [one.read() for one in listener.wait(3)]
    assert [one.action for one in events if isinstance(one, InstallationEvent)] == ["suspend", "unsuspend", "deleted"]


def test_plain_issues_are_told_of(twin: Served, listener: Listener) -> None:
    number = act(twin, act="issue", title="Cart is slow", body="/banksman help")["number"]
    act(twin, act="label", number=number, label="banksman:plan")
    act(twin, act="comment", number=number, body="/banksman help")
    events = [one.read() for one in listener.wait(3)]
    opened, labelled, said = events
    assert isinstance(opened, IssuesEvent)
    assert isinstance(labelled, IssuesEvent)
    assert isinstance(said, IssueCommentEvent)
    assert (opened.action, labelled.action, said.action) == ("opened", "labeled", "created")
    assert (opened.issue.title, labelled.label and labelled.label.name) == ("Cart is slow", "banksman:plan")
    assert {one.sender.login for one in events} == {"alice"}
    assert not said.issue.is_pull


@pytest.mark.skipif(not _PUBLISHED.exists(), reason="github-webhooks.json is not at hand")
def test_these_events_are_as_published(twin: Served, listener: Listener, published: object) -> None:
    number = act(twin, act="issue", title="Cart is slow")["number"]
    act(twin, act="label", number=number, label="banksman:plan")
    act(twin, act="comment", number=number, body="Yes.")
    act(twin, act="rename", name="store")
    twin.hands.post("/_github/acts", json={"repository": "acme/store", "person": "alice", "act": "archive"})
    [path] = {f"/app/installations/{one['id']}" for one in as_app(twin, "GET", "/app/installations").json()[:1]}
    for method in ("PUT", "DELETE"):
        as_app(twin, method, f"{path}/suspended")
    as_app(twin, "DELETE", path)
    came = listener.wait(8)
    assert sorted({problem for one in came for problem in problems(published, one)}) == []  # pyright: ignore[reportArgumentType]
