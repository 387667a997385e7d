"""One machine and one key, whatever becomes of answers, workers and Vault; and nothing of either after their end."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from activities.lambdalabs.contracts import (
    ADD_SSH_KEY,
    CHECK_INSTANCE,
    END_INSTANCE,
    EXTEND_INSTANCE,
    LAUNCH_INSTANCE,
    ExtendRequest,
    GpuEnded,
    GpuExtended,
    GpuLaunched,
    GpuStanding,
    LaunchRequest,
    SshKeyMade,
)
from connectors.errors import AuthDenied, Conflict, InvalidRequest, QuotaExhausted, Unavailable
from connectors.served.boot import Boot
from connectors.served.hello import digest
from hitl.protocol import Ended, HasEnded, HasHired, HasSpend, HasSpent, Hired, PolicyContext
from tests.activities.lambdalabs.at_work import EAST, GPU_OF_GOAL, MARK, SCARCE, WANTED, WEST, Vault, at_work
from tests.connectors.lambdalabs.conftest import KEY_CANARY, advance

SECRET = f"lambdalabs/ssh/{MARK}"


async def add_key(vault: Vault, *, attempt: int = 1) -> SshKeyMade:
    return await at_work(ADD_SSH_KEY.name, attempt=attempt).run(vault.making.add_ssh_key, GPU_OF_GOAL)


async def launch(vault: Vault, request: LaunchRequest = WANTED, *, attempt: int = 1) -> GpuLaunched:
    return await at_work(LAUNCH_INSTANCE.name, attempt=attempt).run(vault.making.launch_instance, request)


async def end(vault: Vault, *, attempt: int = 1) -> GpuEnded:
    return await at_work(END_INSTANCE.name, attempt=attempt).run(vault.making.end_instance, GPU_OF_GOAL)


def of_goal(known: Any) -> list[Any]:
    return [one for one in known.instances.values() if any(tag.value == MARK for tag in one.tags)]


async def test_the_private_key_goes_to_vault_alone_and_fits_the_public_one(vault: Vault, known: Any) -> None:
    told = await add_key(vault)
    assert (told.secret, told.adopted) == (f"banksman/{SECRET}", False)
    private = vault.held[SECRET]["key"].get_secret_value()
    public = load_ssh_private_key(private.encode(), None).public_key()
    [there] = known.ssh_keys.values()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert (there.name, there.public_key) == (MARK, f"{line} {MARK}")
    assert "PRIVATE" not in told.model_dump_json() + str(known.ssh_keys)
    assert vault.asked == ["lambdalabs-keep"]


@pytest.mark.parametrize("fault", ["drop_after_effect", "drop", "vault"])
async def test_a_key_of_which_nobody_knows_is_ended_by_the_next(vault: Vault, known: Any, fault: str) -> None:
    if fault == "vault":
        vault.failing.append(Unavailable("Vault is sealed"))
    else:
        vault.twin.plant(kind=fault, method="POST", path="ssh-keys$")
    with pytest.raises(Unavailable):
        await add_key(vault)
    await add_key(vault, attempt=2)
    [there] = known.ssh_keys.values()
    kept = load_ssh_private_key(vault.held[SECRET]["key"].get_secret_value().encode(), None).public_key()
    assert kept.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() in there.public_key


async def test_the_key_of_a_machine_that_runs_is_left(vault: Vault) -> None:
    await add_key(vault)
    await launch(vault)
    before = vault.held[SECRET]
    assert (await add_key(vault)).adopted
    assert vault.held[SECRET] is before


async def test_no_goal_makes_the_key_of_another_goals_machine(vault: Vault, known: Any) -> None:
    with pytest.raises(InvalidRequest, match="is another's"):
        await at_work(ADD_SSH_KEY.name, workflow_id="other").run(vault.making.add_ssh_key, GPU_OF_GOAL)
    assert known.ssh_keys == {}


async def test_one_machine_is_launched_with_its_mark_its_key_and_its_price(vault: Vault, known: Any) -> None:
    await add_key(vault)
    told = await launch(vault)
    [there] = of_goal(known)
    assert (told.id, told.type, told.region, told.cents_per_hour) == (there.id, "gpu_1x_a10", "us-west-1", 75)
    assert (there.ssh_key_names, there.name) == ((MARK,), "train")
    assert (told.spent(), told.end().way) == (225, "completed")
    assert (WANTED.spend(), WANTED.policy_context()) == (225, PolicyContext(resource="train", cost=3))


def test_the_budget_reads_what_each_paid_step_may_cost_and_has_cost() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    longer = ExtendRequest(mark=MARK, cents_per_hour=75, ends_at=now, until=now + timedelta(hours=2))
    for asked, cents in ((WANTED, 225), (longer, 150)):
        assert isinstance(asked, HasSpend)
        assert asked.spend() == cents
    for answered, cents in ((GpuLaunched(id="i", cents_per_hour=70, hours=3), 210), (GpuExtended(cents=140), 140)):
        assert isinstance(answered, HasSpent)
        assert isinstance(answered, HasHired)
        assert answered.spent() == cents
    assert all(isinstance(one, HasEnded) for one in (GpuEnded(), GpuStanding(there=False)))


async def test_what_was_launched_extended_and_ended_is_told_for_the_budget(vault: Vault, known: Any) -> None:
    await add_key(vault)
    made = await launch(vault)
    assert made.hired() == Hired(mark=MARK, thing=made.id, cents_per_hour=75)
    now = datetime(2026, 11, 29, tzinfo=UTC)
    longer = ExtendRequest(mark=MARK, cents_per_hour=75, ends_at=now, until=now + timedelta(hours=2))
    extended = await at_work(EXTEND_INSTANCE.name).run(vault.looking.extend_instance, longer)
    assert extended.hired() == Hired(mark=MARK, thing=made.id, cents_per_hour=75, longer=True)
    look = at_work(CHECK_INSTANCE.name)
    assert (await look.run(vault.looking.check_instance, GPU_OF_GOAL)).resource_ended() is None
    for attempt in (1, 2):
        assert (await end(vault, attempt=attempt)).resource_ended() == Ended(mark=MARK, things=(made.id,))
        assert (await look.run(vault.looking.check_instance, GPU_OF_GOAL)).resource_ended() is None, "its end may fail"
    advance(vault.twin, 5)
    assert (await look.run(vault.looking.check_instance, GPU_OF_GOAL)).resource_ended() == Ended(mark=MARK)
    for nothing in (GpuLaunched(tried=("x",)), GpuExtended(cents=1)):
        assert nothing.hired() is None
    assert (GpuEnded().resource_ended(), GpuStanding(there=False).resource_ended()) == (None, None), (
        "of an earlier release"
    )


async def test_a_launch_whose_answer_was_lost_is_adopted(vault: Vault, known: Any) -> None:
    await add_key(vault)
    vault.twin.plant(kind="drop_after_effect", path="launch$")
    told = await launch(vault)
    again = await launch(vault, attempt=2)
    assert [one.id for one in of_goal(known)] == [told.id] == [again.id]
    assert told.adopted
    assert again.adopted


async def test_what_there_is_no_capacity_for_is_told_and_the_next_one_taken(vault: Vault, known: Any) -> None:
    await add_key(vault)
    known.capacity["gpu_1x_a10", "us-west-1"] = 0
    told = await launch(vault, WANTED.model_copy(update={"choices": (SCARCE, WEST, EAST), "cents_per_hour": 149}))
    assert (told.region, told.cents_per_hour, told.spent()) == ("us-east-1", 75, 225)
    assert told.tried == (str(SCARCE), str(WEST))


async def test_a_hint_of_capacity_may_be_wrong(vault: Vault, known: Any) -> None:
    await add_key(vault)
    refused = {"error": {"code": "instance-operations/launch/insufficient-capacity", "message": "words"}}
    vault.twin.plant(kind="status", path="launch$", status=400, body=refused)
    told = await launch(vault)
    assert (told.region, told.tried) == ("us-east-1", (str(WEST),))
    assert len(of_goal(known)) == 1


async def test_where_there_is_none_at_all_nothing_is_launched_and_nothing_spent(vault: Vault, known: Any) -> None:
    await add_key(vault)
    told = await launch(vault, WANTED.model_copy(update={"choices": (SCARCE,), "cents_per_hour": 149}))
    assert (told.id, told.spent(), told.end().way) == ("", 0, "refused")
    assert of_goal(known) == []


async def test_what_costs_more_than_it_may_is_not_launched(vault: Vault, known: Any) -> None:
    await add_key(vault)
    with pytest.raises(Conflict, match="may cost 74 cents an hour"):
        await launch(vault, WANTED.model_copy(update={"cents_per_hour": 74}))
    assert of_goal(known) == []


async def test_a_machine_that_is_not_what_is_asked_for_is_not_taken_for_it(vault: Vault) -> None:
    await add_key(vault)
    await launch(vault)
    with pytest.raises(Conflict, match="is not what is asked for now"):
        await launch(vault, WANTED.model_copy(update={"choices": (SCARCE,), "cents_per_hour": 149}))


async def test_the_quota_is_told_as_one(vault: Vault) -> None:
    await add_key(vault)
    vault.twin.plant(
        kind="status", path="launch$", status=400, body={"error": {"code": "global/quota-exceeded", "message": "m"}}
    )
    with pytest.raises(QuotaExhausted):
        await launch(vault)


async def test_the_end_leaves_nothing_and_can_be_repeated(vault: Vault, known: Any) -> None:
    await add_key(vault)
    launched = await launch(vault)
    assert (await end(vault)).ids == (launched.id,)
    assert SECRET not in vault.held
    assert known.ssh_keys == {}
    assert (await end(vault, attempt=2)).ids == ()
    advance(vault.twin, 5)
    assert of_goal(known) == []
    assert (await end(vault)).ids == ()


@pytest.mark.parametrize("path", ["terminate$", "ssh-keys$", "ssh-keys/"])
async def test_an_end_that_is_interrupted_is_finished_by_the_next(vault: Vault, known: Any, path: str) -> None:
    await add_key(vault)
    await launch(vault)
    vault.twin.plant(kind="drop_after_effect", path=path)
    with pytest.raises(Unavailable):
        await end(vault)
    assert SECRET in vault.held
    await end(vault, attempt=2)
    assert (SECRET in vault.held, known.ssh_keys) == (False, {})
    assert {one.status for one in of_goal(known)} == {"terminating"}


async def test_nothing_of_somebody_elses_is_ended(vault: Vault, known: Any) -> None:
    await add_key(vault)
    await launch(vault)
    told = await at_work(END_INSTANCE.name).run(
        vault.making.end_instance, GPU_OF_GOAL.model_copy(update={"mark": "banksman-ffffffffffffffff"})
    )
    assert told.ids == ()
    assert [one.status for one in of_goal(known)] == ["booting"]
    assert len(known.ssh_keys) == 1


async def test_a_revoked_key_ends_nothing_and_says_what_to_replace(vault: Vault, known: Any) -> None:
    await add_key(vault)
    await launch(vault)
    known.keys.discard(KEY_CANARY)
    with pytest.raises(AuthDenied, match="banksman/lambdalabs/key"):
        await end(vault)
    assert SECRET in vault.held


def tickets(known: Any) -> list[str]:
    """What the machines dial in with, by their user data."""
    told = [yaml.safe_load(one)["write_files"] for one in known._user_data.values()]
    found = [one for files in told for one in files if one["path"] == "/etc/banksman/tunnel.json"]
    return [json.loads(base64.b64decode(one["content"]))["ticket"] for one in found]


async def test_a_machine_that_serves_is_adopted_with_the_ticket_that_it_has(vault: Vault, known: Any) -> None:
    await add_key(vault)
    serving = WANTED.model_copy(update={"boot": Boot(name="gpu", relay="relay.example:8443", run=("serve", "lamp-1"))})
    first, again = await launch(vault, serving), await launch(vault, serving, attempt=2)
    assert (first.adopted, again.adopted) == (False, True)
    (dials_with,) = tickets(known)
    assert first.ticket == again.ticket == digest(dials_with)
    assert dials_with not in again.model_dump_json()


async def test_a_machine_that_serves_nothing_has_no_ticket(vault: Vault, known: Any) -> None:
    await add_key(vault)
    assert (await launch(vault)).ticket == ""
    assert tickets(known) == []
