"""`banksman github cost` beside a models worker: for people and for scripts, and when nobody can say."""

import asyncio
import json
import os
import subprocess
from functools import partial

import pytest
from temporalio.client import Client

from activities.models.spending_contracts import FindSpending, SpendingFound, Spent
from tests.hitl.console.limits.test_spending import DAYS, NOTHING, answering, tell
from tests.stack import forked
from tests.stack.running import BIN
from tests.workflows.approval.approving import eventually
from tests.workflows.scripted import Steps, workers
from workers.commands.exits import Exit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def banksman(client: Client, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it, in a process of its own."""
    environment = {
        **os.environ,
        "BANKSMAN_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "BANKSMAN_TEMPORAL_NAMESPACE": client.namespace,
        "BANKSMAN_DEVELOPMENT": "true",
        "BANKSMAN_ENCRYPT_PAYLOADS": "false",
        "COLUMNS": "80",
    }
    run = partial(forked.run, environment=environment, seconds=50)
    return await asyncio.to_thread(run, BIN / "banksman", ["github", "cost", *arguments])


async def test_it_is_told_for_people_and_for_scripts(client: Client) -> None:
    async with workers(client, Steps()):
        number = await tell(client, "acme-costs")

        def paid(request: FindSpending) -> SpendingFound:
            assert request.days in {2, 7}
            found = dict.fromkeys(request.installations, NOTHING)
            return SpendingFound(
                days=DAYS,
                installations={**found, number: Spent(micros=(3_120_000, 7_400_000))},
                unverified=NOTHING,
                none=Spent(micros=(0, 410_000)),
                day_micros=20_000_000,
            )

        async with answering(client, paid):

            async def named() -> bool:
                return "acme-costs" in (await banksman(client)).stdout

            await eventually(named)
            told = (await banksman(client)).stdout
            rows = json.loads((await banksman(client, "--days", "2", "--json")).stdout)
    assert f"acme-costs {number}\n  today $3.12 of $20.00\n  2026-11-29 $7.40\n" in told
    assert "what GitHub did not begin\n  today $0.00\n  2026-11-29 $0.4100\n" in told
    assert [one for one in rows if one["installation"] == number] == [
        {
            "installation": number,
            "account": "acme-costs",
            "usd": {"2026-11-30": 3.12, "2026-11-29": 7.4},
            "usd_per_day": 20.0,
        }
    ]
    assert rows[-1]["installation"] is None
    assert rows[-1]["usd_per_day"] is None


async def test_a_number_of_days_that_is_none_is_refused(client: Client) -> None:
    assert (await banksman(client, "--days", "0")).returncode == Exit.USAGE
