"""What is seen of the account and of a machine; a machine is ready when it says so itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.lambdalabs import looking
from activities.lambdalabs.contracts import (
    CHECK_INSTANCE,
    CHECK_READY,
    EXTEND_INSTANCE,
    FIND_INSTANCES,
    GPU,
    LOOK_AT_ACCOUNT,
    LOOK_AT_TYPES,
    ExtendRequest,
    GpuReadiness,
    GpuStanding,
    LookAtAccountRequest,
    LookAtTypesRequest,
)
from activities.leases.contracts import ListLeased
from activities.leases.kinds import command_for, kinds
from connectors.errors import AuthDenied, InvalidRequest, NotFound, Unavailable
from hitl.protocol import PolicyContext
from tests.activities.lambdalabs.at_work import GPU_OF_GOAL, MARK, Vault, at_work
from tests.activities.lambdalabs.test_making import add_key, end, launch
from tests.connectors.lambdalabs.conftest import KEY_CANARY, advance

NOW = datetime(2026, 11, 29, tzinfo=UTC)


async def ready(vault: Vault) -> GpuReadiness:
    return await at_work(CHECK_READY.name).run(vault.looking.check_ready, GPU_OF_GOAL)


async def standing(vault: Vault) -> GpuStanding:
    return await at_work(CHECK_INSTANCE.name).run(vault.looking.check_instance, GPU_OF_GOAL)


async def booted(vault: Vault) -> None:
    await add_key(vault)
    await launch(vault)
    advance(vault.twin, 20)


async def test_sizes_are_told_with_price_and_capacity(vault: Vault) -> None:
    told = await at_work(LOOK_AT_TYPES.name).run(
        vault.looking.look_at_types, LookAtTypesRequest(names=("gpu_8x_a100", "gpu_1x_gh200"))
    )
    assert [(one.name, one.gpus, one.cents_per_hour, one.regions) for one in told.types] == [
        ("gpu_8x_a100", 8, 1032, ("us-west-1",)),
        ("gpu_1x_gh200", 1, 149, ()),
    ]
    assert vault.asked == ["lambdalabs-read"]
    with pytest.raises(InvalidRequest, match="no instance type 'gpu_9x'; there are gpu_1x_a10"):
        await at_work(LOOK_AT_TYPES.name).run(vault.looking.look_at_types, LookAtTypesRequest(names=("gpu_9x",)))


async def test_the_account_is_told_without_anything_that_opens_it(vault: Vault, known: Any) -> None:
    await booted(vault)
    told = await at_work(LOOK_AT_ACCOUNT.name).run(vault.looking.look_at_account, LookAtAccountRequest())
    [machine] = told.machines
    assert (machine.name, machine.status, machine.mark, machine.cents_per_hour) == ("train", "active", MARK, 75)
    assert (told.ssh_keys, told.image_families) == ((MARK,), ("lambda-stack-22-04",))
    assert (told.file_systems, told.firewall_rulesets) == (("us-west-1/datasets",), ("us-west-1/ssh only",))
    assert known.instances[machine.id].jupyter_token not in told.model_dump_json()


async def test_active_is_not_ready_until_the_machine_says_it(vault: Vault) -> None:
    assert (await ready(vault)).status == ""
    await add_key(vault)
    await launch(vault)
    assert await ready(vault) == GpuReadiness(status="booting", wanted=1)
    advance(vault.twin, 20)
    active = await ready(vault)
    assert (active.status, active.answers, active.gpus, active.wanted) == ("active", True, None, 1)
    advance(vault.twin, 10)
    assert (await ready(vault)).gpus == 1


@pytest.mark.parametrize(
    ("defect", "status", "answers", "gpus"),
    [("unhealthy", "unhealthy", False, None), ("silent", "active", False, None), ("no_gpus", "active", True, 0)],
)
async def test_a_machine_that_does_not_work_is_not_ready(
    vault: Vault, known: Any, defect: str, status: str, answers: bool, gpus: int | None
) -> None:
    known.types["gpu_1x_a10"] = known.types["gpu_1x_a10"].model_copy(update={"defect": defect})
    await booted(vault)
    advance(vault.twin, 10)
    told = await ready(vault)
    assert (told.status, told.answers, told.gpus) == (status, answers, gpus)


async def test_what_carries_the_mark_is_there_until_it_is_gone(vault: Vault) -> None:
    assert await standing(vault) == GpuStanding(there=False, mark=MARK)
    await booted(vault)
    told = await standing(vault)
    assert (told.there, told.type, told.region, told.status) == (True, "gpu_1x_a10", "us-west-1", "active")
    await end(vault)
    assert ((await standing(vault)).there, (await standing(vault)).status) == (True, "terminating")
    advance(vault.twin, 5)
    assert await standing(vault) == GpuStanding(there=False, mark=MARK)


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "drop"}, {"kind": "garbage"}])
async def test_what_nobody_can_see_is_not_gone(vault: Vault, fault: dict[str, object]) -> None:
    vault.twin.plant(path="/instances$", **fault)
    with pytest.raises(Unavailable):
        await standing(vault)


async def test_nor_where_the_key_was_revoked(vault: Vault, known: Any) -> None:
    known.keys.discard(KEY_CANARY)
    with pytest.raises(AuthDenied):
        await standing(vault)


async def test_what_has_a_mark_of_ours_is_found_and_nothing_else(vault: Vault, known: Any) -> None:
    await booted(vault)
    [mine] = known.instances.values()
    for number, value in enumerate(("", "banksman-not-a-mark", "banksman-" + "f" * 16)):
        tags = tuple(tag.model_copy(update={"value": value}) for tag in mine.tags)
        known.instances[f"x{number}"] = mine.model_copy(update={"id": f"x{number}", "tags": tags})
    found = await at_work(FIND_INSTANCES.name).run(vault.looking.find_instances, ListLeased())
    assert {one.mark for one in found.found} == {MARK, "banksman-" + "f" * 16}
    assert found.after == ""
    [lease] = [one for one in found.found if one.mark == MARK]
    assert lease.place == {"mark": MARK, "name": "train", "cents_per_hour": 75}


async def test_what_is_found_comes_in_pages_each_of_it_once(
    vault: Vault, known: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "MOST_LISTED", 2)
    await booted(vault)
    [mine] = known.instances.values()
    for number in range(3):
        tags = tuple(tag.model_copy(update={"value": f"banksman-{number:016x}"}) for tag in mine.tags)
        known.instances[f"x{number}"] = mine.model_copy(update={"id": f"x{number}", "tags": tags})
    marks, after = list[str](), ""
    for _ in range(2):
        page = await at_work(FIND_INSTANCES.name).run(vault.looking.find_instances, ListLeased(after=after))
        marks, after = [*marks, *(one.mark for one in page.found)], page.after
    assert (len(marks), len(set(marks)), after) == (4, 4, "")


async def test_what_ends_anyway_is_not_found(vault: Vault) -> None:
    await booted(vault)
    await end(vault)
    found = await at_work(FIND_INSTANCES.name).run(vault.looking.find_instances, ListLeased())
    assert found.found == ()


def longer(hours: float, cents: int = 75) -> ExtendRequest:
    until = NOW + timedelta(hours=hours)
    return ExtendRequest(mark=MARK, name="train", cents_per_hour=cents, ends_at=NOW, until=until)


@pytest.mark.parametrize(("hours", "cents", "usd"), [(1, 75, 1), (2.5, 188, 2), (24, 1800, 18), (-1, 0, 0)])
def test_an_extension_costs_the_time_in_between(hours: float, cents: int, usd: int) -> None:
    assert longer(hours).spend() == cents
    assert longer(hours).policy_context() == PolicyContext(resource="train", cost=usd)


async def test_an_extension_is_for_what_is_there_at_its_price(vault: Vault) -> None:
    step = at_work(EXTEND_INSTANCE.name)
    with pytest.raises(NotFound, match="nothing to extend"):
        await step.run(vault.looking.extend_instance, longer(1))
    await booted(vault)
    assert (await step.run(vault.looking.extend_instance, longer(2, cents=249))).spent() == 150
    with pytest.raises(InvalidRequest, match="costs 75 cents an hour, and its lease says 74"):
        await step.run(vault.looking.extend_instance, longer(1, cents=74))


def test_its_kind_is_known_and_a_person_is_told_how_to_end_it() -> None:
    assert kinds()["lambdalabs-gpu"] is GPU
    lease = GPU.lease(GPU.leased(GPU_OF_GOAL, mark=MARK, name="train"), now=NOW, ends_at=NOW + timedelta(days=30))
    assert lease.ends_at == NOW + timedelta(hours=168)
    assert f"--arg mark {MARK} " in command_for(lease)
    wrong = lease.model_copy(update={"leased": lease.leased.model_copy(update={"place": {"mark": "x; rm -rf /"}})})
    assert command_for(wrong) == ""
