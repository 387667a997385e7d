"""The steps that make a branch and keep what opens it: each attempt after what the one before may have done."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.neon.contracts import (
    CREATE_BRANCH,
    FORGET_CONNECTION,
    KEEP_CONNECTION,
    LOOK_AT_BRANCH,
    CreateNeonBranchRequest,
    ForgetConnectionRequest,
    KeepConnectionRequest,
    LookAtNeonBranch,
    NeonBranchCreated,
    NeonBranchSeen,
)
from activities.step import step_of
from connectors.creation import mark
from connectors.errors import Conflict, ConnectorError, NotFound, Unavailable
from hitl.protocol import Effect, PolicyContext
from tests.activities.github.at_work import at_work
from tests.activities.neon.at_neon import House
from tests.connectors.neon.at_neon import MAIN, OLD_IDEA, PASSWORD_CANARY, PROJECT, psql

END = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
BRANCHES = f"/projects/{PROJECT}/branches"
SENDS = {"method": "POST", "path": "/branches$"}


async def create(
    house: House, name: str = "try-it", *, goal: str = "goal/1", attempt: int = 1, parent: str | None = None
) -> NeonBranchCreated:
    request = CreateNeonBranchRequest(project=PROJECT, branch=name, parent=parent, expires_at=END)
    return await at_work(CREATE_BRANCH.name, goal, attempt=attempt).run(house.making.create_branch, request)


def names(house: House) -> list[str]:
    return sorted(one["name"] for one in house.neon.ask("GET", "/branches")["branches"])


async def test_a_branch_is_made_with_its_end_and_a_compute(house: House) -> None:
    made = await create(house)
    assert (made.name, made.parent_id, made.expires_at, made.adopted) == ("try-it", MAIN, END, False)
    [compute] = house.neon.ask("GET", f"/branches/{made.id}/endpoints")["endpoints"]
    assert compute["id"] == made.endpoint
    assert house.asked == ["neon-write"]
    assert PASSWORD_CANARY not in made.model_dump_json()


async def test_a_parent_is_named_as_people_name_it(house: House) -> None:
    assert (await create(house, parent="old-idea")).parent_id == OLD_IDEA
    with pytest.raises(NotFound, match="no branch 'nothing'"):
        await create(house, "another", goal="goal/2", parent="nothing")


@pytest.mark.parametrize("fault", ["drop", "drop_after_effect", "garbage"])
async def test_an_answer_that_is_lost_is_looked_for_and_there_is_one(house: House, fault: str) -> None:
    house.neon.served.plant(kind=fault, **SENDS)
    attempt, made = 1, None
    while made is None:
        try:
            made = await create(house, attempt=attempt)
        except Unavailable:
            attempt += 1
            assert attempt < 4
    assert names(house) == ["main", "old-idea", "try-it"]
    assert made.adopted is (fault == "drop_after_effect")


async def test_a_second_attempt_goes_on_where_a_killed_worker_stopped(house: House) -> None:
    house.neon.served.plant(kind="status", status=503, method="GET", path="/operations", times=1)
    with pytest.raises(Unavailable):
        await create(house)
    made = await create(house, attempt=2)
    assert (made.adopted, made.expires_at) == (True, END)
    house.neon.ask("DELETE", f"/endpoints/{made.endpoint}")
    again = await create(house, attempt=3)
    assert again.id == made.id
    assert again.endpoint != made.endpoint
    assert names(house) == ["main", "old-idea", "try-it"]


async def test_a_branch_of_the_same_goal_is_adopted_with_the_new_end(house: House) -> None:
    made = await create(house)
    earlier = (END - timedelta(days=1)).isoformat()
    house.neon.ask("PATCH", f"/branches/{made.id}", json={"branch": {"expires_at": earlier}})
    again = await create(house)
    assert (again.id, again.adopted, again.expires_at) == (made.id, True, END)


async def test_a_branch_that_somebody_renamed_is_still_the_goals(house: House) -> None:
    made = await create(house)
    house.neon.ask("PATCH", f"/branches/{made.id}", json={"branch": {"name": "renamed"}})
    again = await create(house, attempt=2)
    assert (again.id, again.name) == (made.id, "renamed")


async def test_the_branch_of_another_goal_is_not_taken(house: House) -> None:
    await create(house)
    with pytest.raises(Conflict, match="already exists"):
        await create(house, goal="goal/2")


async def test_goals_on_one_project_take_turns(house: House) -> None:
    making = house.making
    requests = [CreateNeonBranchRequest(project=PROJECT, branch=f"b-{one}", expires_at=END) for one in range(3)]
    made = await asyncio.gather(
        *(
            at_work(CREATE_BRANCH.name, f"goal/{number}").run(making.create_branch, request)
            for number, request in enumerate(requests)
        )
    )
    assert [one.name for one in made] == ["b-0", "b-1", "b-2"]
    assert house.neon.statuses("POST", BRANCHES) == [201, 201, 201]


async def keep(house: House, branch: str, database: str | None = None) -> tuple[str, str]:
    request = KeepConnectionRequest(project=PROJECT, branch=branch, database=database)
    kept = await at_work(KEEP_CONNECTION.name).run(house.making.keep_connection, request)
    assert PASSWORD_CANARY not in kept.model_dump_json()
    assert (kept.host, kept.database, kept.role) == ("127.0.0.1", "shop", "shop_owner")
    uri = house.kept[kept.secret.removeprefix("banksman/")]["uri"]
    assert f"127.0.0.1:{kept.port}/" in uri
    return kept.secret, uri


async def test_what_opens_a_branch_is_kept_in_vault_and_opens_it(house: House) -> None:
    made = await create(house)
    secret, uri = await keep(house, made.id)
    assert secret == f"banksman/neon/connections/{mark('goal/1')}"
    assert psql(uri, "SELECT 1") == "1"
    assert await keep(house, made.id) == (secret, uri)


async def forget(house: House, branch: str, marked: str = "") -> str:
    request = ForgetConnectionRequest(project=PROJECT, branch=branch, mark=marked)
    return (await at_work(FORGET_CONNECTION.name).run(house.making.forget_connection, request)).secret


async def test_what_opens_a_branch_goes_with_it_and_not_before(house: House) -> None:
    secret, _ = await keep(house, OLD_IDEA)
    with pytest.raises(Conflict, match="is there"):
        await forget(house, OLD_IDEA)
    assert house.kept
    house.neon.ask("DELETE", f"/branches/{OLD_IDEA}")
    assert await forget(house, OLD_IDEA) == secret
    assert house.kept == {}
    assert await forget(house, OLD_IDEA) == secret
    assert set(house.asked) == {"neon-keep"}


async def test_what_opens_a_goals_branch_is_forgotten_by_its_mark(house: House) -> None:
    made = await create(house)
    await keep(house, made.id)
    assert (await look(house, made.id)).mark == mark("goal/1")
    house.neon.ask("DELETE", f"/branches/{made.id}")
    await forget(house, made.id, mark("goal/1"))
    assert house.kept == {}


@pytest.mark.parametrize("branch", ["", "..", "br-1/other", "+", "-br"])
def test_an_id_that_would_lead_elsewhere_in_vault_is_refused(branch: str) -> None:
    with pytest.raises(ValueError, match="branch"):
        ForgetConnectionRequest(project=PROJECT, branch=branch)


@pytest.mark.parametrize(("branch", "database", "error"), [("br-none", None, NotFound), (OLD_IDEA, "other", NotFound)])
async def test_what_cannot_be_opened_is_told(
    house: House, branch: str, database: str | None, error: type[ConnectorError]
) -> None:
    with pytest.raises(error):
        await keep(house, branch, database)
    assert house.kept == {}


async def test_a_sealed_vault_is_waited_for(house: House) -> None:
    house.failing.append(Unavailable("Vault is sealed"))
    with pytest.raises(Unavailable, match="sealed"):
        await keep(house, OLD_IDEA)
    await keep(house, OLD_IDEA)


async def look(house: House, branch: str) -> NeonBranchSeen:
    request = LookAtNeonBranch(project=PROJECT, branch=branch)
    return await at_work(LOOK_AT_BRANCH.name).run(house.looking.look_at_branch, request)


async def test_a_look_tells_what_depends_on_a_branch(house: House) -> None:
    await create(house, parent="old-idea")
    seen = await look(house, "old-idea")
    assert (seen.id, seen.name, seen.project_name, seen.parent) == (OLD_IDEA, "old-idea", "shop", "main")
    assert (seen.children, seen.default, seen.protected) == (("try-it",), False, False)
    assert (await look(house, "main")).default
    assert (await look(house, "")).name == "main"
    assert (await look(house, "nothing")).id is None
    assert set(house.asked) == {"neon-write", "neon-read"}


def test_they_say_what_they_do(house: House) -> None:
    making = house.making
    found = [house.looking.look_at_branch, making.create_branch, making.keep_connection, making.forget_connection]
    steps = [LOOK_AT_BRANCH, CREATE_BRANCH, KEEP_CONNECTION, FORGET_CONNECTION]
    assert [step_of(one) for one in found] == steps
    assert [one.effect for one in steps] == [Effect.READ, Effect.WRITE, Effect.WRITE, Effect.WRITE]
    request = LookAtNeonBranch(project=PROJECT, branch="main")
    assert request.policy_context() == PolicyContext(account=PROJECT, resource="main")
