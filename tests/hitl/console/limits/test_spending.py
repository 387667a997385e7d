"""What language models cost by installation, on the console's page of limits: names by Temporal, money by a worker."""

import contextlib
import secrets
import uuid
from collections.abc import AsyncGenerator, Callable

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType
from activities.models.spending_contracts import FIND_SPENDING, FindSpending, SpendingFound, Spent
from activities.queues import TaskQueue
from hitl.github.events import Actor, InstallationEvent, InstallationMention
from hitl.github.spending import Spending, dollars, find_spending
from tests.hitl.console.limits.test_limits_page import words
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import eventually
from tests.workflows.scripted import Steps, workers
from workflows.github.contracts import ReceivedDelivery
from workflows.github.installation_contracts import INSTALLATION_WORKFLOW, TOLD, InstallationState, installation_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAYS = ("2026-11-30", "2026-11-29")
NOTHING = Spent(micros=(0, 0))


def paid(found: dict[int, Spent], **more: object) -> Callable[[FindSpending], SpendingFound]:
    """A book that has these, and nothing of anybody else."""

    def answer(request: FindSpending) -> SpendingFound:
        asked = {number: found.get(number, NOTHING) for number in request.installations}
        told = {"unverified": NOTHING, "none": NOTHING, **more}
        return SpendingFound.model_validate({"days": DAYS, "installations": asked, **told})

    return answer


@contextlib.asynccontextmanager
async def answering(
    client: Client, answer: Callable[[FindSpending], SpendingFound]
) -> AsyncGenerator[list[FindSpending]]:
    """A models worker that has one step; what it was asked."""
    asked: list[FindSpending] = []

    @activity.defn(name=FIND_SPENDING.name)
    async def step(request: FindSpending) -> SpendingFound:
        asked.append(request)
        return answer(request)

    async with Worker(client, task_queue=TaskQueue.MODELS, activities=[step]):
        yield asked


async def tell(client: Client, login: str) -> int:
    """GitHub told of an installation."""
    number = secrets.randbelow(10**9) + 1
    mention = InstallationMention.model_validate({"id": number, "account": Actor(login=login, id=1)})
    event = InstallationEvent(action="created", installation=mention)
    await client.start_workflow(
        INSTALLATION_WORKFLOW,
        InstallationState(number=number),
        id=installation_id(number),
        task_queue=TaskQueue.GOALS,
        start_signal=TOLD,
        start_signal_args=[ReceivedDelivery(delivery=str(uuid.uuid4()), event=event)],
    )
    return number


async def test_each_installations_cost_is_told_by_its_name_and_of_how_much(console: Console) -> None:
    client = console.house.client
    async with workers(client, Steps()):
        acme, globex, idle = [await tell(client, name) for name in ("acme-inc", "<b>globex", "idle-inc")]
        found = {acme: Spent(micros=(3_120_000, 7_400_000)), globex: Spent(micros=(212, 0))}
        answer = paid(found, none=Spent(micros=(410_000, 0)), day_micros=20_000_000)
        async with answering(client, answer):

            async def listed() -> bool:
                names = [one.name for one in (await find_spending(client)).accounts]
                return {"acme-inc", "<b>globex"} <= {*names}

            await eventually(listed)
        async with answering(client, answer) as asked, console.visit("alice") as alice, console.visit() as nobody:
            page = await alice.get("/limits")
            again = await alice.get("/limits")
            assert (await nobody.get("/limits")).headers["location"].startswith("/sign-in")
    told = words(page.text)
    assert "One installation may cost $20.00 a day" in told
    assert f"acme-inc {acme} $3.12 $10.52" in told
    assert f"<b>globex {globex} $0.0002 $0.0002" in told
    assert "what GitHub did not begin $0.4100 $0.4100" in told
    assert "idle-inc" not in told
    assert "<b>globex" not in page.text
    assert page.text.count('aria-label="cost of') == 2, "what GitHub did not begin has no such limit"
    assert words(again.text).count("acme-inc") == 1
    assert len(asked) == 1, "for all who look, in a minute"
    assert {acme, globex, idle} <= {*asked[0].installations}


async def test_what_the_worker_cannot_tell_is_said_and_the_rest_of_the_page_is_there(console: Console) -> None:
    def broken(request: FindSpending) -> SpendingFound:
        del request
        text = "the budget's book cannot be used"
        raise ApplicationError(text, type=ErrorType.UNAVAILABLE, non_retryable=True)

    async with answering(console.house.client, broken), console.visit("alice") as alice:
        told = words((await alice.get("/limits")).text)
    assert "Not known just now. the budget's book cannot be used" in told
    assert "Redis Cloud requests 400 a minute" in told
    assert "Nothing was paid" not in told


async def test_without_a_models_worker_the_page_comes_soon_and_says_so(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl.console.limits.seen._PATIENCE_S", 0.1)
    async with console.visit("alice") as alice:
        page = await alice.get("/limits")
    assert (page.status_code, "No models worker has answered yet" in page.text) == (200, True)


async def test_many_installations_are_asked_about_in_parts_and_those_left_out_are_said(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl.github.spending.MOST_INSTALLATIONS", 2)
    client = console.house.client
    async with workers(client, Steps()):
        numbers = [await tell(client, f"part-{one}") for one in range(3)]
        spent = paid({one: Spent(micros=(1_000_000, 0)) for one in numbers})
        found: list[Spending] = []
        async with answering(client, spent) as asked:

            async def listed() -> bool:
                found[:] = [await find_spending(client, most=1000)]
                return {*numbers} <= {one.number for one in found[0].accounts}

            await eventually(listed)
            # A page that another test looked at may still be asking, of others.
            assert max(len(one.installations) for one in asked if {*numbers} & {*one.installations}) == 2
            assert not found[0].more
            assert (await find_spending(client, most=1)).more


async def test_money_is_told_so_that_little_is_not_nothing() -> None:
    assert [dollars(one) for one in (0, 212, 999_999, 1_000_000, 1_234_567_890)] == [
        "$0.00",
        "$0.0002",
        "$1.0000",
        "$1.00",
        "$1,234.57",
    ]
