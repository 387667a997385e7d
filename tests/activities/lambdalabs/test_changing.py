"""Restart and rename: of the goal's own machine alone, and a restart never later than it was asked for."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.lambdalabs import changing
from activities.lambdalabs.contracts import (
    RENAME_INSTANCE,
    RESTART_INSTANCE,
    GpuRenamed,
    GpuRestarted,
    RenameRequest,
    RestartRequest,
)
from connectors.errors import AuthDenied, NotFound, OutcomeUnknown, Unavailable
from hitl.protocol import PolicyContext
from tests.activities.lambdalabs.at_work import MARK, Vault, at_work
from tests.activities.lambdalabs.test_making import add_key, end, launch, of_goal
from tests.connectors.lambdalabs.conftest import KEY_CANARY, advance


@pytest.fixture(autouse=True)
def _one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "SHOWS_WITHIN", timedelta())


async def running(vault: Vault) -> str:
    await add_key(vault)
    made = await launch(vault)
    advance(vault.twin, 30)
    return made.id


async def restart(
    vault: Vault, instance: str, *, attempt: int = 1, ago: timedelta = timedelta(), mark: str = MARK
) -> GpuRestarted:
    step = at_work(RESTART_INSTANCE.name, attempt=attempt)
    step.info = dataclasses.replace(step.info, scheduled_time=datetime.now(UTC) - ago)
    return await step.run(vault.changing.restart_instance, RestartRequest(mark=mark, name="train", instance=instance))


async def rename(vault: Vault, instance: str, called: str, *, attempt: int = 1) -> GpuRenamed:
    request = RenameRequest(mark=MARK, name="train", instance=instance, called=called)
    return await at_work(RENAME_INSTANCE.name, attempt=attempt).run(vault.changing.rename_instance, request)


async def test_a_machine_restarts_once_and_keeps_its_disk_mark_and_key(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    assert await restart(vault, instance) == GpuRestarted()
    [there] = of_goal(known)
    assert (there.id, there.status, there.ssh_key_names, known.restarts[instance]) == (instance, "booting", (MARK,), 1)
    assert vault.asked[-1] == "lambdalabs-change"
    advance(vault.twin, 20)
    assert [one.status for one in of_goal(known)] == ["active"]


async def test_a_restart_whose_answer_was_lost_is_seen_and_not_sent_again(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    vault.twin.plant(kind="drop_after_effect", path="restart$")
    assert (await restart(vault, instance)).adopted
    assert (await restart(vault, instance, attempt=2)).adopted
    assert known.restarts[instance] == 1


async def test_one_that_was_never_sent_is_sent_by_the_next_attempt(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    vault.twin.plant(kind="drop", path="restart$")
    with pytest.raises(Unavailable, match="looked at again"):
        await restart(vault, instance)
    assert known.restarts[instance] == 0
    assert not (await restart(vault, instance, attempt=2)).adopted
    assert known.restarts[instance] == 1


async def test_late_it_is_not_sent_again_for_by_then_it_may_end_somebodys_work(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    await restart(vault, instance)
    advance(vault.twin, 30)
    with pytest.raises(OutcomeUnknown, match="look at it, and ask again"):
        await restart(vault, instance, attempt=2, ago=timedelta(hours=1))
    assert known.restarts[instance] == 1


async def test_the_providers_own_trouble_counts_as_an_answer_that_was_lost(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    trouble = {"error": {"code": "provider/internal-unavailable", "message": "m", "suggestion": "none"}}
    vault.twin.plant(kind="status", path="restart$", status=400, body=trouble)
    with pytest.raises(Unavailable, match="looked at again"):
        await restart(vault, instance)


async def test_it_has_another_name_once_however_often_it_is_asked_for(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    vault.twin.plant(kind="drop_after_effect", path=f"instances/{instance}$")
    with pytest.raises(Unavailable):
        await rename(vault, instance, "evaluate")
    assert await rename(vault, instance, "evaluate", attempt=2) == GpuRenamed(called="evaluate")
    [there] = of_goal(known)
    assert there.name == "evaluate"
    assert len([one for one in vault.twin.requests() if one["path"].endswith(f"/instances/{instance}")]) == 1
    assert (await end(vault)).ids == (instance,)


async def test_what_is_not_the_goals_own_or_is_gone_is_not_touched(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    with pytest.raises(NotFound, match="nothing to change"):
        await restart(vault, instance, mark="banksman-ffffffffffffffff")
    with pytest.raises(NotFound, match="nothing to change"):
        await restart(vault, "somebody-elses")
    with pytest.raises(NotFound, match="nothing to change"):
        await rename(vault, "somebody-elses", "mine")
    del known.instances[instance]
    with pytest.raises(NotFound, match="nothing to change"):
        await restart(vault, instance)
    assert not known.restarts


async def test_a_revoked_key_is_told_and_changes_nothing(vault: Vault, known: Any) -> None:
    instance = await running(vault)
    known.keys.discard(KEY_CANARY)
    for asked in (restart(vault, instance), rename(vault, instance, "evaluate")):
        with pytest.raises(AuthDenied, match="banksman/lambdalabs/key"):
            await asked
    assert (not known.restarts, of_goal(known)[0].name) == (True, "train")


async def test_one_that_somebody_renamed_by_hand_is_still_the_goals_and_one_deleted_by_hand_is_gone(
    vault: Vault, known: Any
) -> None:
    instance = await running(vault)
    known.instances[instance] = known.instances[instance].model_copy(update={"name": "of a person"})
    await restart(vault, instance)
    assert known.restarts[instance] == 1
    advance(vault.twin, 30)
    assert (await launch(vault, attempt=2)).id == instance
    del known.instances[instance]
    assert (await end(vault)).ids == ()
    assert known.ssh_keys == {}


def test_the_policy_goes_by_the_name_that_it_was_asked_for_under() -> None:
    request = RenameRequest(mark=MARK, name="train", instance="i", called="production")
    assert request.policy_context() == PolicyContext(resource="train")
