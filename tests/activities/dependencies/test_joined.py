"""Repositories joined: who uses a package, and in which order its update goes through them."""

import json

import pytest

from activities.dependencies.contracts import FIND_USERS, FindUsersRequest, OfRepository
from activities.dependencies.found import FileFound, Made, Used
from activities.dependencies.joined import MOST_USES, Joined
from activities.dependencies.joining import JoiningActivities
from activities.dependencies.ordering import circles, in_order
from activities.dependencies.read import RepositoryManifests, put_together
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from tests.activities.github.at_work import at_work


def use(name: str, version: str = "", **more: object) -> Used:
    return Used.model_validate({"ecosystem": "python", "name": name, "version": version, "path": "uv.lock", **more})


def repository(name: str, *used: Used, makes: str = "") -> RepositoryManifests:
    made = (Made(ecosystem="python", name=makes, path="pyproject.toml"),) if makes else ()
    return RepositoryManifests(repository=f"acme/{name}", commit="c" * 40, used=used, made=made)


HOUSE = (
    repository("lib", use("requests", "2.31.0", direct=False), use("requests", wanted=">=2"), makes="acme-lib"),
    repository("shop", use("acme-lib", "1.0"), makes="acme-shop"),
    repository("site", use("acme-shop", "3.1"), use("requests", "2.28.0", pinned=True)),
    repository("other", use("flask")),
)


def joined(*those: RepositoryManifests) -> Joined:
    every = Joined()
    for one in those:
        every.add(one)
    return every


def test_an_update_goes_through_repositories_after_those_that_they_use() -> None:
    whole, counts, made_by = joined(*HOUSE).whole("Requests", None)
    assert [(one.repository, one.versions, one.pinned) for one in whole.users] == [
        ("acme/lib", ("2.31.0",), False),
        ("acme/site", ("2.28.0",), True),
    ]
    assert [(one.wave, one.repositories, one.through) for one in whole.order] == [
        (0, ("acme/lib",), ("requests",)),
        (1, ("acme/shop",), ("acme-lib",)),
        (2, ("acme/site",), ("acme-shop", "requests")),
    ]
    assert (counts.repositories, counts.packages, counts.made, counts.internal, made_by) == (4, 4, 2, 2, ())


def test_what_a_repository_makes_begins_with_its_maker() -> None:
    whole, _, made_by = joined(*HOUSE).whole("acme.shop", "python")
    assert made_by == ("acme/shop",)
    assert [one.repositories for one in whole.order] == [("acme/shop",), ("acme/site",)]
    assert joined(*HOUSE).whole("acme.shop", "npm")[0].order == ()


def test_actions_and_workflows_are_made_by_the_repository_that_they_lie_in() -> None:
    called = use("acme/lib/.github/workflows/test.yml", "v1", ecosystem="action")
    whole, _, _ = joined(HOUSE[0], repository("web", called)).whole("acme-lib", None)
    assert [one.repositories for one in whole.order] == [("acme/lib",), ("acme/web",)]


def test_those_that_use_one_another_stand_together_and_it_is_told() -> None:
    circle = (
        repository("a", use("pkg-b"), makes="pkg-a"),
        repository("b", use("pkg-a"), use("requests"), makes="pkg-b"),
        repository("c", use("pkg-a")),
    )
    whole, _, _ = joined(*circle).whole("requests", None)
    assert [(one.repositories, one.circle) for one in whole.order] == [
        (("acme/a", "acme/b"), True),
        (("acme/c",), False),
    ]
    assert whole.circles == (("acme/a", "acme/b"),)


def test_an_order_of_many_thousands_needs_no_recursion() -> None:
    chain = {str(number): [str(number + 1)] for number in range(20_000)}
    order = in_order(chain, chain)
    assert (order[0].names, order[-1].wave) == (("19999",), 19_999)
    assert circles({"a": ["a"], "b": ["c"], "c": []}) == [("a",)]


def test_more_uses_than_fit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.dependencies.joined.MOST_USES", 2)
    assert joined(*HOUSE).whole(None, None)[1].left_out == 4
    assert MOST_USES > 2


def test_files_that_take_each_other_in_are_told_once() -> None:
    files = {"a.txt": FileFound(includes=("b.txt",)), "b.txt": FileFound(includes=("a.txt",))}
    found = put_together("acme/shop", "c" * 40, files, ())
    assert [one.what for one in found.mistakes] == ["takes itself in: a.txt → b.txt → a.txt"]


async def test_the_map_is_kept_and_its_lists_are_short(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = ArtifactStore(str(tmp_path_factory.mktemp("artifacts")))
    many = (*HOUSE, *(repository(f"r{number}", use("requests", "2.0")) for number in range(60)))
    kept = [
        OfRepository(
            repository=one.repository, commit=one.commit, artifact=await store.put(one.model_dump_json().encode())
        )
        for one in many
    ]
    steps = JoiningActivities(store)
    found = await at_work(FIND_USERS.name).run(steps.find_users, FindUsersRequest(read=tuple(kept), package="requests"))
    assert (found.used_by, len(found.users)) == (62, 50)
    whole = json.loads(await store.get(found.artifact))
    assert len(whole["users"]) == 62
    assert whole["repositories"]["acme/shop"] == "c" * 40
    foreign = kept[0].model_copy(update={"artifact": await store.put(b"{}")})
    with pytest.raises(InvalidRequest, match="no manifests of 'acme/lib'"):
        await at_work(FIND_USERS.name).run(steps.find_users, FindUsersRequest(read=(foreign,)))
    swapped = kept[0].model_copy(update={"artifact": kept[1].artifact})
    with pytest.raises(InvalidRequest, match="of another repository"):
        await at_work(FIND_USERS.name).run(steps.find_users, FindUsersRequest(read=(swapped,)))
