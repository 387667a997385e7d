"""The client of Neon on its twin: one change of a project at a time, what it waits for, and every bad day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.creation import create_once, mark
from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    Locked,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.neon.client import NeonProject, Wanted, credential
from connectors.neon.models import Branch
from connectors.neon.twin.app import create_twin
from connectors.twins.clock import TwinClock
from tests.connectors.judged import judged_twin
from tests.connectors.neon.at_neon import (
    KEY_CANARY,
    MAIN,
    OLD_IDEA,
    PASSWORD_CANARY,
    PROJECT,
    SEEDED,
    AtNeon,
    config,
)
from tests.connectors.neon.published import NEON

MARK = mark("create-neon-branch/a")
BRANCHES = f"/projects/{PROJECT}/branches"


async def looked() -> None:
    """A last look that finds all as it was."""


async def create(project: NeonProject, name: str = "try-it", **wanted: object) -> Branch:
    creation = project.creation(Wanted(name=name, **wanted))  # pyright: ignore[reportArgumentType] - by each test
    return (await create_once(creation, MARK, again=False, sleep=project.sleep)).resource


async def test_a_branch_is_made_with_a_compute_and_ready_when_it_is_said_to_be(neon: AtNeon) -> None:
    async with neon.project() as project:
        made = await create(project)
        assert (made.name, made.parent_id, made.current_state) == ("try-it", MAIN, "init")
        assert (await project.ready(made)).current_state == "ready"
        compute = await project.compute(made)
    assert (compute.branch_id, compute.current_state) == (made.id, "active")
    assert neon.statuses("POST", f"/projects/{PROJECT}/endpoints") == []


async def test_a_branch_is_found_by_its_name_or_its_id_and_one_that_is_none_is_told(neon: AtNeon) -> None:
    async with neon.project() as project:
        assert (await project.branch("old-idea")).id == OLD_IDEA
        assert (await project.branch(OLD_IDEA)).name == "old-idea"
        with pytest.raises(NotFound, match="no branch 'nothing'"):
            await project.branch("nothing")
    async with neon.project("other") as other:
        with pytest.raises(NotFound, match="no project 'other'"):
            await other.branches()


async def test_the_branch_of_an_id_goes_before_one_that_is_called_so(neon: AtNeon) -> None:
    async with neon.project() as project:
        await project.ready(await create(project, name=OLD_IDEA))
        assert (await project.branch(OLD_IDEA)).id == OLD_IDEA


async def test_another_change_of_the_project_is_waited_out(neon: AtNeon) -> None:
    neon.ask("POST", f"/branches/{OLD_IDEA}/snapshot")
    async with neon.project() as project:
        await create(project)
    assert neon.statuses("POST", BRANCHES) == [423, 201]


async def test_changes_that_never_end_are_waited_for_as_long_as_an_attempt_lasts(tmp_path: Path) -> None:
    with judged_twin(create_twin(config(tmp_path, operation_seconds=1e9)), NEON) as judged:
        neon = AtNeon(judged)
        async with neon.project() as project:
            made = await create(project)
            before = neon.now()
            hurried = replace(project, sleep=lambda seconds: neon.sleep(20 * seconds))
            with pytest.raises(Unavailable, match="create_branch is running") as told:
                await hurried.ready(made)
            assert not isinstance(told.value, Locked)
            assert 180 <= neon.now() - before < 240
            with pytest.raises(Locked, match="conflicting operations"):
                await hurried.expire(made, datetime(2030, 1, 1, tzinfo=UTC))


async def test_an_operation_that_failed_is_told_with_its_words(neon: AtNeon) -> None:
    failed = {"id": "1", "action": "create_branch", "status": "failed", "error": "no room", "branch_id": OLD_IDEA}
    async with neon.project() as project:
        branch = await project.branch("old-idea")
        neon.served.plant(path="operations", kind="status", status=200, body={"operations": [failed]})
        with pytest.raises(InvalidRequest, match=r"create_branch .* is failed: no room"):
            await project.ready(branch)


async def test_a_branch_that_somebody_deletes_while_it_is_waited_for_is_gone(neon: AtNeon) -> None:
    async with neon.project() as project:
        made = await create(project)
        neon.advance(5)
        neon.ask("DELETE", f"/branches/{made.id}")
        with pytest.raises(NotFound, match="somebody deleted it meanwhile"):
            await project.ready(made)


async def test_a_compute_that_somebody_deleted_is_made_again(neon: AtNeon) -> None:
    async with neon.project() as project:
        made = await project.ready(await create(project))
        before = await project.compute(made)
        neon.ask("DELETE", f"/endpoints/{before.id}")
        after = await project.compute(made, max_cu=2)
    assert after.id != before.id
    [there] = neon.ask("GET", f"/branches/{made.id}/endpoints")["endpoints"]
    assert (there["id"], there["autoscaling_limit_max_cu"], there["current_state"]) == (after.id, 2, "active")


async def test_a_branch_ends_when_it_was_said_last(neon: AtNeon) -> None:
    soon = datetime.fromtimestamp(neon.now(), UTC) + timedelta(hours=1)
    async with neon.project() as project:
        made = await project.ready(await create(project, expires_at=soon))
        assert made.expires_at == soon.replace(microsecond=0)
        later = await project.expire(made, soon + timedelta(hours=1))
        assert await project.expire(later, soon + timedelta(hours=1)) == later
        neon.advance(3_700)
        assert (await project.by_id(made.id)).id == made.id
        neon.advance(3_700)
        with pytest.raises(NotFound):
            await project.by_id(made.id)
    [gone] = [one for one in neon.ask("GET", "/branches?include_deleted=true")["branches"] if one["id"] == made.id]
    assert gone["recovery"]["deletion_method"] == "ttl"


async def test_an_end_that_is_past_by_the_providers_clock_is_refused(tmp_path: Path) -> None:
    with judged_twin(create_twin(config(tmp_path), clock=TwinClock(ahead=86_400)), NEON) as judged:
        neon = AtNeon(judged)
        async with neon.project() as project:
            with pytest.raises(InvalidRequest, match="must be in the future"):
                await create(project, expires_at=datetime.now(UTC) + timedelta(hours=23))
            made = await create(project, expires_at=datetime.now(UTC) + timedelta(hours=25))
            assert (await project.ready(made)).current_state == "ready"


async def test_a_deletion_ends_when_all_of_it_has_and_a_second_one_finds_it_done(neon: AtNeon) -> None:
    async with neon.project() as project:
        branch = await project.branch("old-idea")
        await project.delete(branch, last_look=looked)
        assert {one["status"] for one in neon.ask("GET", "/operations")["operations"]} == {"finished"}
        await project.delete(branch, last_look=looked)
        assert [one.name for one in await project.branches()] == ["main"]
    assert neon.statuses("DELETE", f"{BRANCHES}/{OLD_IDEA}") == [200, 204]
    assert neon.ask("POST", f"/branches/{OLD_IDEA}/recover")["branch"]["name"] == "old-idea"


async def test_every_request_that_may_delete_is_looked_at_first(neon: AtNeon) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    neon.ask("POST", f"/branches/{OLD_IDEA}/snapshot")
    async with neon.project() as project:
        await project.delete(await project.branch("old-idea"), last_look=look)
    assert neon.statuses("DELETE", f"{BRANCHES}/{OLD_IDEA}") == [423, 200]
    assert looks == 2


@pytest.mark.parametrize("name", ["main", "parent", "protected"])
async def test_what_neon_deletes_for_nobody_is_refused(neon: AtNeon, name: str) -> None:
    async with neon.project() as project:
        parent = await project.ready(await create(project, name="parent", parent=OLD_IDEA))
        neon.ask("PATCH", f"/branches/{parent.id}", json={"branch": {"protected": True}})
        branch = await project.branch({"parent": "old-idea", "protected": "parent"}.get(name, name))
        with pytest.raises(InvalidRequest, match="cannot delete"):
            await project.delete(branch, last_look=looked)


async def test_a_name_that_is_taken_is_a_conflict_and_a_full_project_a_quota(tmp_path: Path) -> None:
    with judged_twin(create_twin(config(tmp_path, most_branches=3)), NEON) as judged:
        neon = AtNeon(judged)
        async with neon.project() as project:
            with pytest.raises(Conflict, match="already exists"):
                await create(project, name="old-idea")
            await project.ready(await create(project))
            creation = project.creation(Wanted(name="another"))
            with pytest.raises(QuotaExhausted, match="limit exceeded"):
                await create_once(creation, mark("another"), again=False, sleep=project.sleep)


async def test_a_thousand_branches_are_read_to_the_end(tmp_path: Path) -> None:
    many = SEEDED.model_copy(update={"branches": tuple(f"b-{number}" for number in range(1_000))})
    with judged_twin(create_twin(config(tmp_path, projects=(many,))), NEON) as judged:
        async with AtNeon(judged).project() as project:
            assert len(await project.branches()) == 1_001
            assert (await project.branch("b-999")).name == "b-999"


async def test_a_wrong_key_is_told_with_the_place_of_the_right_one(neon: AtNeon) -> None:
    async with neon.project(key="other") as project:
        with pytest.raises(AuthDenied, match="into Vault at banksman/neon/key") as told:
            await project.look()
    assert KEY_CANARY not in str(told.value)
    with pytest.raises(AuthDenied, match="'neon/key' lacks 'key'"):
        credential({})


@pytest.mark.parametrize(
    ("fault", "reading", "creating"),
    [
        ({"kind": "status", "status": 403}, Forbidden, Forbidden),
        ({"kind": "status", "status": 400}, InvalidRequest, InvalidRequest),
        ({"kind": "rate_limit", "seconds": 7}, RateLimited, RateLimited),
        ({"kind": "status", "status": 500}, Unavailable, OutcomeUnknown),
        ({"kind": "status", "status": 524}, Unavailable, OutcomeUnknown),
        ({"kind": "status", "status": 503}, Unavailable, Unavailable),
        ({"kind": "garbage"}, MalformedAnswer, OutcomeUnknown),
        ({"kind": "drop"}, Unavailable, OutcomeUnknown),
        ({"kind": "drop_after_effect"}, Unavailable, OutcomeUnknown),
    ],
)
async def test_a_bad_day_is_an_error_of_the_tree(
    neon: AtNeon, fault: dict[str, object], reading: type[ConnectorError], creating: type[ConnectorError]
) -> None:
    async with neon.project() as project:
        neon.served.plant(method="GET", path="branches", **fault)
        with pytest.raises(reading) as told:
            await project.branches()
        assert type(told.value) is reading
    async with neon.project() as project:
        neon.served.plant(method="POST", path="branches", **fault)
        with pytest.raises(creating) as told:
            await project.creation(Wanted(name="try-it")).create(MARK)
        assert type(told.value) is creating


async def test_what_opens_a_branch_is_in_nothing_that_is_told(neon: AtNeon) -> None:
    async with neon.project() as project:
        made = await create(project)
        uri = await project.connection(made)
        assert PASSWORD_CANARY in uri.get_secret_value()
        assert PASSWORD_CANARY not in f"{made!r} {uri!r} {made.model_dump()}"
        with pytest.raises(NotFound, match="no database 'other'; it has shop") as told:
            await project.connection(made, database="other")
        assert PASSWORD_CANARY not in str(told.value)
        broken = {"uri": 7, "password": PASSWORD_CANARY}
        neon.served.plant(path="connection_uri", kind="status", status=200, body=broken)
        with pytest.raises(MalformedAnswer) as garbled:
            await project.connection(made)
    assert PASSWORD_CANARY not in f"{garbled.value} {garbled.value.__context__} {garbled.value.__cause__}"
