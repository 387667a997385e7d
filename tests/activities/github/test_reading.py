"""Steps that read on GitHub, run as Temporal runs them, against the twin over real git: narrow, and never too large."""

import base64
import hashlib

import pytest

from activities.github.contracts import CopyRepositoryRequest, FetchRepositoryRequest, FileRead, ReadFileRequest
from activities.github.name_contracts import FindBranchesRequest, FindRepositoriesRequest
from activities.step import implemented, step_of
from connectors.errors import NotFound, Unavailable
from connectors.github.client import GitHubApp, app_jwt
from connectors.github.copy import CopiedRepository
from connectors.github.registration import AppSession
from hitl.protocol import Effect
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.connectors.github.shop import BINARY, LARGE, git


async def read(house: House, path: str, ref: str | None = None) -> FileRead:
    request = ReadFileRequest(repository=REPOSITORY, path=path, ref=ref)
    return await at_work("github.read_file").run(house.reads.read_file, request)


async def test_text_is_told_as_text_with_the_commit_that_it_is_of(house: House) -> None:
    found = await read(house, "README.md")
    assert (found.commit, found.blob) == (house.shop.main, house.shop.blob("README.md"))
    assert (found.encoding, found.content, found.artifact) == ("utf-8", "# Shop\n", None)
    assert found.installation == (await installed(house))["acme"]
    assert (house.actions, house.permissions) == (["github-read"], [{"contents": "read"}])
    assert house.twin.live_tokens == 0


async def installed(house: House) -> dict[str, int]:
    """The number of the App's installation on each account, as GitHub lists them."""
    api = GitHubApp(base_url=house.twin.address).api()
    api.authenticate(app_jwt(house.twin.credentials))
    try:
        return {one.account.login: one.id for one in await AppSession(api).installations()}
    finally:
        api.close()


async def test_bytes_are_told_as_such_and_a_large_file_by_reference(house: House) -> None:
    small, large = await read(house, "binary"), await read(house, "large")
    assert (small.encoding, base64.b64decode(small.content or "")) == ("base64", BINARY)
    assert (large.size, large.encoding, large.content) == (len(LARGE), None, None)
    assert await house.artifacts.get(large.artifact or "") == LARGE


async def test_an_attempt_after_a_failed_one_reads(house: House) -> None:
    house.twin.plant(kind="drop", method="GET", path="/contents/")
    with pytest.raises(Unavailable):
        await read(house, "README.md")
    assert (await read(house, "README.md")).content == "# Shop\n"
    assert house.twin.live_tokens == 0


async def test_what_is_not_there_is_named_and_its_token_is_given_back(house: House) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await read(house, "nowhere")
    assert house.twin.live_tokens == 0


@pytest.mark.parametrize("ref", [None, "feature/cart"])
async def test_a_commit_is_kept_as_gits_own_pack(house: House, ref: str | None) -> None:
    request = FetchRepositoryRequest(repository=REPOSITORY, ref=ref)
    step = at_work("github.fetch_repository")
    found, again = [await step.run(house.reads.fetch_repository, request) for _ in range(2)]
    assert found.commit == git("rev-parse", ref or "main", at=house.shop.bare)
    pack = await house.artifacts.get(found.pack)
    assert (pack[:4], len(pack)) == (b"PACK", found.size)
    assert pack[-20:] == hashlib.sha1(pack[:-20], usedforsecurity=False).digest()
    assert again.commit == found.commit
    assert (set(house.actions), house.twin.live_tokens) == ({"github-read"}, 0)


async def test_a_repository_is_copied_whole_by_reading_alone(house: House) -> None:
    found = await at_work("github.copy_repository").run(
        house.reads.copy_repository, CopyRepositoryRequest(repository=REPOSITORY)
    )
    copied = CopiedRepository.model_validate_json(await house.artifacts.get(found.described))
    pack = await house.artifacts.get(found.pack)
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags", at=house.shop.bare)
    assert copied.refs == dict(line.split(" ") for line in listed.splitlines())
    assert (found.default_branch, found.head) == ("main", house.shop.main)
    assert (pack[:4], len(pack), found.branches > 1) == (b"PACK", found.size, True)
    levels = {level for one in house.permissions for level in one.values()}
    assert (set(house.actions), levels, house.twin.live_tokens) == ({"github-read"}, {"read"}, 0)


def test_they_say_what_they_do(house: House) -> None:
    found = [step for one in implemented(house.reads) if (step := step_of(one))]
    assert [(step.name, step.effect) for step in found] == [
        ("github.copy_repository", Effect.READ),
        ("github.fetch_repository", Effect.READ),
        ("github.find_branches", Effect.READ),
        ("github.find_repositories", Effect.READ),
        ("github.read_file", Effect.READ),
    ]


async def test_names_of_repositories_and_branches_are_told_and_nothing_else(house: House) -> None:
    repositories = await at_work("github.find_repositories").run(
        house.reads.find_repositories, FindRepositoriesRequest()
    )
    assert REPOSITORY in repositories.repositories
    assert (house.actions, house.permissions) == (["github-read"], [])
    branches = await at_work("github.find_branches").run(
        house.reads.find_branches, FindBranchesRequest(repository=REPOSITORY)
    )
    assert {"main", "feature/cart"} <= {*branches.branches}
    assert house.permissions == [{"contents": "read"}]
    assert house.twin.live_tokens == 0
