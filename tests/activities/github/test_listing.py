"""The steps that list, run as Temporal runs it, against the twin over real git."""

import pytest

from activities.github.listing_contracts import (
    LIST_FILES,
    LIST_REPOSITORIES,
    ListFilesRequest,
    ListRepositoriesRequest,
    RepositoriesListed,
)
from connectors.errors import NotFound
from tests.activities.github.at_work import REPOSITORY, House, at_work


async def listed(house: House, **asked: str) -> list[str]:
    request = ListFilesRequest(repository=REPOSITORY, **asked)
    found = await at_work(LIST_FILES.name).run(house.lists.list_files, request)
    lines = (await house.artifacts.get(found.artifact)).decode().splitlines()
    assert (lines[0], len(lines) - 1, found.whole) == (f"at commit {found.commit}", found.found, True)
    return lines[1:]


async def test_files_are_listed_by_path_with_a_token_that_reads_this_one_repository(house: House) -> None:
    every = await listed(house)
    assert "README.md (7 bytes)" in every
    assert await listed(house, contains="READ") == [one for one in every if "READ" in one]
    assert await listed(house, contains="nothing like it") == []
    assert house.permissions == [{"contents": "read"}] * 3
    assert house.twin.live_tokens == 0


async def test_another_branch_has_its_own_and_one_that_is_not_there_is_named(house: House) -> None:
    assert await listed(house, ref="feature/cart") != await listed(house)
    with pytest.raises(NotFound, match="no branch, tag or commit 'nowhere'"):
        await listed(house, ref="nowhere")
    assert house.twin.live_tokens == 0


async def test_repositories_are_listed_by_pattern_and_topic_without_those_that_are_archived(house: House) -> None:
    async def found(*patterns: str, topics: tuple[str, ...] = ()) -> RepositoriesListed:
        request = ListRepositoriesRequest(patterns=patterns, topics=topics)
        return await at_work(LIST_REPOSITORIES.name).run(house.lists.list_repositories, request)

    every = await found("*/*")
    assert REPOSITORY in every.repositories
    assert every.whole
    assert (await found("ACME/sh*")).repositories == (REPOSITORY,)
    assert (await found("acme/*", topics=("nothing",))).repositories == ()
    assert house.twin.live_tokens == 0
