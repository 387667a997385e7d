"""The steps of the lease that holds a branch: they end what carries its goal's mark, and have Vault forget it."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.leases.contracts import LeasedPage, ListLeased
from activities.neon.contracts import (
    CHECK_BRANCH,
    CREATE_BRANCH,
    END_BRANCH,
    FIND_BRANCHES,
    KEEP_CONNECTION,
    PROLONG_BRANCH,
    BranchEnded,
    CreateNeonBranchRequest,
    KeepConnectionRequest,
    LeasedBranch,
    ProlongBranch,
)
from connectors.creation import mark
from connectors.errors import InvalidRequest, NotFound, Unavailable
from tests.activities.github.at_work import at_work
from tests.activities.neon.lending import Bank
from tests.connectors.neon.at_neon import MAIN, PROJECT

pytestmark = pytest.mark.timeout(180)
GOAL = "create-neon-branch/shop-1/try-it"
PLACE = LeasedBranch(project=PROJECT, mark=mark(GOAL))
END = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)


async def made(bank: Bank, name: str = "try-it", goal: str = GOAL) -> str:
    """A branch as the goal makes it, whose connection is kept; its id."""
    request = CreateNeonBranchRequest(project=PROJECT, branch=name, expires_at=END)
    created = await at_work(CREATE_BRANCH.name, goal).run(bank.making.create_branch, request)
    keep = KeepConnectionRequest(project=PROJECT, branch=created.id)
    await at_work(KEEP_CONNECTION.name, goal).run(bank.making.keep_connection, keep)
    return created.id


async def end(bank: Bank, place: LeasedBranch = PLACE) -> BranchEnded:
    return await at_work(END_BRANCH.name).run(bank.ending.end_branch, place)


async def there(bank: Bank, place: LeasedBranch = PLACE) -> bool:
    return (await at_work(CHECK_BRANCH.name).run(bank.ending.check_branch, place)).there


def names(bank: Bank) -> list[str]:
    return sorted(str(one["name"]) for one in bank.neon.ask("GET", "/branches")["branches"])


def kept(bank: Bank) -> list[str]:
    return bank.listed("banksman/metadata/neon/connections")


def connections(bank: Bank) -> list[str]:
    return bank.listed("banksman-neon/config")


async def test_a_branch_ends_with_all_that_vault_has_of_it_and_no_other_does(bank: Bank) -> None:
    id_, other = await made(bank), await made(bank, "other", "another")
    for branch in (id_, other, MAIN):
        await bank.open(branch=branch)
    assert kept(bank) == sorted([mark(GOAL), mark("another")])
    assert await there(bank)
    assert (await end(bank)).ids == (id_,)
    assert not await there(bank)
    assert names(bank) == ["main", "old-idea", "other"]
    assert kept(bank) == [mark("another")]
    assert connections(bank) == sorted([f"{PROJECT}.{other}.shop", f"{PROJECT}.{MAIN}.shop"])
    assert (await end(bank)).ids == ()  # twice is fine
    await end(bank, LeasedBranch(project=PROJECT, mark=mark("another")))
    assert kept(bank) == []


async def test_one_that_neon_ended_by_itself_leaves_nothing_in_vault_either(bank: Bank) -> None:
    id_ = await made(bank)
    await bank.open(branch=id_)
    bank.neon.ask("DELETE", f"/branches/{id_}")
    assert not await there(bank)
    assert (await end(bank)).ids == ()
    assert (kept(bank), connections(bank)) == ([], [])


async def test_one_that_somebody_renamed_is_still_the_goals(bank: Bank) -> None:
    id_ = await made(bank)
    bank.neon.ask("PATCH", f"/branches/{id_}", json={"branch": {"name": "renamed"}})
    assert (await end(bank)).ids == (id_,)


async def test_what_neon_deletes_for_nobody_stays_and_is_told(bank: Bank) -> None:
    id_ = await made(bank)
    bank.neon.ask("POST", "/branches", json={"branch": {"name": "child", "parent_id": id_}})
    async with bank.neon.project() as project:
        await project.ready(await project.branch("child"))
    with pytest.raises(InvalidRequest):
        await end(bank)
    assert await there(bank)
    assert kept(bank) == [mark(GOAL)]


async def test_a_sealed_vault_is_waited_for_before_anything_is_deleted(bank: Bank) -> None:
    await made(bank)
    bank.vault.server.seal()
    with pytest.raises(Unavailable, match="sealed"):
        await end(bank)
    bank.vault.server.unseal()
    assert await there(bank)
    await end(bank)
    assert not await there(bank)


async def test_a_branch_whose_project_is_gone_has_ended(bank: Bank) -> None:
    place = LeasedBranch(project="gone-1", mark=mark(GOAL))
    assert not await there(bank, place)
    assert (await end(bank, place)).ids == ()


async def test_a_branch_is_prolonged_at_neon(bank: Bank) -> None:
    id_ = await made(bank)
    until = END + timedelta(days=1)
    request = ProlongBranch(**PLACE.model_dump(), until=until)
    await at_work(PROLONG_BRANCH.name).run(bank.ending.prolong_branch, request)
    said = bank.neon.ask("GET", f"/branches/{id_}")["branch"]["expires_at"]
    assert datetime.fromisoformat(said) == until
    gone = ProlongBranch(project=PROJECT, mark=mark("nothing"), until=until)
    with pytest.raises(NotFound, match="any more"):
        await at_work(PROLONG_BRANCH.name).run(bank.ending.prolong_branch, gone)


async def test_branches_of_ours_are_found_in_all_projects(bank: Bank) -> None:
    await made(bank)
    strange = {"branch": {"name": "theirs"}, "annotation_value": {"banksman-goal": "../other"}}
    bank.neon.ask("POST", "/branches", json=strange)
    found, after = list[str](), ""
    while True:
        page: LeasedPage = await at_work(FIND_BRANCHES.name).run(bank.ending.find_branches, ListLeased(after=after))
        found += [f"{one.name} {one.mark} {one.place['project']}" for one in page.found]
        if not (after := page.after):
            break
    assert found == [f"try-it {mark(GOAL)} {PROJECT}"]


@pytest.mark.parametrize("wrong", ["", "banksman-1", "other", "banksman-0123456789abcdeg", "br-shop-1-main"])
def test_nothing_but_a_mark_of_ours_names_what_a_lease_ends(wrong: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        LeasedBranch(project=PROJECT, mark=wrong)
