"""How an installation stands after what GitHub told: also where it comes late, twice, or in another order."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from activities.queues import TaskQueue
from hitl.github.events import (
    Actor,
    InstallationEvent,
    InstallationMention,
    InstallationRepositoriesEvent,
    RepositoryMention,
)
from tests.workflows.scripted import Steps, workers
from workflows.github.contracts import ReceivedDelivery
from workflows.github.installation_contracts import (
    INSTALLATION_WORKFLOW,
    MOST_REPOSITORIES,
    TOLD,
    InstallationState,
    installation_id,
)

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
SHOP, CART, BILL = (
    RepositoryMention(full_name=f"acme/{name}", id=one) for one, name in enumerate(("shop", "cart", "bill"))
)


def mention(minute: int, *, suspended: bool = False, **permissions: str) -> InstallationMention:
    at = NOW + timedelta(minutes=minute)
    return InstallationMention(
        id=7,
        account=Actor(login="acme", id=1, type="Organization"),
        permissions=permissions,
        suspended_at=at if suspended else None,
        updated_at=at,
    )


def delivery(event: InstallationEvent | InstallationRepositoriesEvent) -> ReceivedDelivery:
    return ReceivedDelivery(delivery=str(uuid.uuid4()), event=event)


CREATED = delivery(
    InstallationEvent(action="created", installation=mention(0, contents="read"), repositories=(SHOP, CART))
)
ADDED = delivery(InstallationRepositoriesEvent(action="added", installation=mention(1), repositories_added=(BILL,)))
REMOVED = delivery(
    InstallationRepositoriesEvent(action="removed", installation=mention(2), repositories_removed=(CART,))
)
ACCEPTED = delivery(
    InstallationEvent(action="new_permissions_accepted", installation=mention(3, contents="write", checks="write"))
)
SUSPENDED = delivery(InstallationEvent(action="suspend", installation=mention(4, suspended=True, contents="write")))
LIFTED = delivery(InstallationEvent(action="unsuspend", installation=mention(5, contents="write")))
DELETED = delivery(InstallationEvent(action="deleted", installation=mention(6, contents="write")))


def after(*told: ReceivedDelivery) -> InstallationState:
    state = InstallationState(number=7)
    for one in told:
        state = state.told(one, now=NOW)
    return state


def names(state: InstallationState) -> list[str]:
    return [one.full_name for one in state.repositories]


def test_it_follows_what_github_tells() -> None:
    assert names(after(CREATED)) == ["acme/cart", "acme/shop"]
    assert names(after(CREATED, ADDED, REMOVED)) == ["acme/bill", "acme/shop"]
    assert after(CREATED, ACCEPTED).permissions == {"contents": "write", "checks": "write"}
    assert after(CREATED, SUSPENDED).suspended_at == NOW + timedelta(minutes=4)
    assert after(CREATED, SUSPENDED, LIFTED).suspended_at is None
    assert after(CREATED, DELETED).deleted


def test_in_whatever_order_it_comes_it_stands_the_same() -> None:
    told = (CREATED, ADDED, REMOVED, ACCEPTED, SUSPENDED)
    stands = {
        (tuple(names(one)), tuple(one.permissions.items()), one.suspended_at, one.as_of)
        for one in (after(*order) for order in itertools.permutations(told))
    }
    assert len(stands) == 1


def test_what_comes_twice_counts_once() -> None:
    assert after(CREATED, ADDED, CREATED, ADDED) == after(CREATED, ADDED)


def test_one_that_was_deleted_stays_so() -> None:
    assert after(CREATED, DELETED, LIFTED, CREATED).deleted
    assert after(DELETED, CREATED).deleted


def test_what_is_told_of_another_installation_changes_nothing() -> None:
    other = delivery(InstallationEvent(action="deleted", installation=mention(9).model_copy(update={"id": 8})))
    assert after(CREATED, other) == after(CREATED)


def test_very_many_repositories_are_not_all_kept() -> None:
    state = InstallationState(number=7)
    for start in range(0, 1200, 400):
        some = tuple(RepositoryMention(full_name=f"acme/r{one}", id=one) for one in range(start, start + 400))
        event = InstallationRepositoriesEvent(action="added", installation=mention(1), repositories_added=some)
        state = state.told(delivery(event), now=NOW)
    assert (len(state.repositories), state.more) == (MOST_REPOSITORIES, True)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_workflow_runs_until_the_app_is_uninstalled(client: Client) -> None:
    async with workers(client, Steps()):
        handle = await client.start_workflow(
            INSTALLATION_WORKFLOW,
            InstallationState(number=7),
            id=f"{installation_id(7)}/{uuid.uuid4()}",
            task_queue=TaskQueue.GOALS,
            start_signal=TOLD,
            start_signal_args=[CREATED],
            result_type=InstallationState,
        )
        assert names(await handle.query("state", result_type=InstallationState)) == ["acme/cart", "acme/shop"]
        await handle.signal(TOLD, DELETED)
        assert (await handle.result()).deleted
