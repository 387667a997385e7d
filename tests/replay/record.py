"""Records the replay histories and the fingerprints anew: `make record-histories`.

Run it when a change of a workflow is meant: with a patch for what runs now, and a line in the changelog.
"""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from temporalio.client import Client, WorkflowHistory

from deploy.ending import run_to_the_end
from deploy.temporal import register_search_attributes
from tests.replay import fingerprints
from tests.replay.approvals import ASKINGS, Asking, at_work, start_asking, told_by
from tests.replay.deliveries import DELIVERIES, INSTALLINGS, SWEEPINGS
from tests.replay.health import REPORTINGS
from tests.replay.leases import LEASINGS, histories
from tests.replay.opinions import JUDGINGS
from tests.replay.scenarios import SCENARIOS, Scenario, start
from tests.replay.scheduled import SCHEDULINGS
from tests.replay.stacks import LOCK, STACKINGS, Stacking
from tests.temporal_server import start_server
from tests.workflows.approval.approving import House
from tests.workflows.approval.telling import Teller, until_told
from tests.workflows.leases.leasing import Place
from tests.workflows.played import scenarios
from tests.workflows.pulumi.stacking import StackSessions
from tests.workflows.scripted import workers
from workflows.opinions.contracts import OPINION_WORKFLOW
from workflows.parked_contracts import PARKED_NOTICE

HISTORIES: Final = Path(__file__).parent / "histories"


async def record(folder: Path) -> None:
    """Run every scenario on the dev server and keep its history."""
    async with await start_server() as environment:
        await register_search_attributes(environment.client)
        for scenario in SCENARIOS:
            await _record_scenario(environment.client, scenario, folder)
        for played in scenarios():
            _keep(await (await played.run(environment.client)).fetch_history(), folder, played.goal.name, played.name)
        for asking in ASKINGS:
            with tempfile.TemporaryDirectory() as scratch:
                await _record_asking(House(environment.client, Path(scratch)), asking, folder)
        for leasing in LEASINGS:
            for workflow, history in (await histories(Place(environment.client, mark=leasing.name), leasing)).items():
                _keep(history, folder, workflow, leasing.name)
        for judging in JUDGINGS:
            _keep(await judging.run(environment.client), folder, OPINION_WORKFLOW, judging.name)
        for told in (*DELIVERIES, *SWEEPINGS, *INSTALLINGS, *SCHEDULINGS, *REPORTINGS):
            for workflow, name in told.recorded():
                _keep(await told.run(environment.client), folder, workflow, name)
        for stacking in STACKINGS:
            with tempfile.TemporaryDirectory() as scratch:
                house = StackSessions(environment.client, Path(scratch), stacking.stack(), action=stacking.action)
                await _record_stacking(house, stacking, folder)


async def _record_scenario(client: Client, scenario: Scenario, folder: Path) -> None:
    """One goal, and the notice that it is parked where people are told so."""
    gateway = Teller().at_work(client) if scenario.told else contextlib.nullcontext()
    async with workers(client, scenario.steps()), gateway:
        handle = await start(client, scenario)
        notice = await until_told(client, handle) if scenario.told else None
        await scenario.drive(handle)
        _keep(await handle.fetch_history(), folder, scenario.workflow, scenario.name)
        if notice is not None:
            await notice.result()
            _keep(await notice.fetch_history(), folder, PARKED_NOTICE, scenario.name)


async def _record_stacking(house: StackSessions, stacking: Stacking, folder: Path) -> None:
    """One goal on a stack, and its lock where that is wanted."""
    async with house.at_work():
        goal = await stacking.run(house)
        _keep(await goal.fetch_history(), folder, stacking.workflow, stacking.name)
        if stacking.lock:
            lock = await house.client.get_workflow_handle(LOCK).fetch_history()
            _keep(lock, folder, "StackLock", stacking.name)


async def _record_asking(house: House, asking: Asking, folder: Path) -> None:
    """One approval, with what belongs to it."""
    async with at_work(house, asking):
        goal = await start_asking(house, asking)
        approval = await house.approval_of(goal)
        await asking.drive(house, goal, approval)
        kept = {"Approval": approval, "DeleteBranch": goal.id}
        if asking.gateway:
            kept["ApprovalNotice"] = await told_by(house, approval, goal.id)
        wanted = {workflow for workflow, _ in asking.recorded()}
        for workflow in sorted(wanted):
            history = await house.client.get_workflow_handle(kept[workflow]).fetch_history()
            _keep(history, folder, workflow, asking.name)


def _keep(history: WorkflowHistory, folder: Path, workflow: str, name: str) -> None:
    path = folder / workflow / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_without_machine(history.to_json()) + "\n", encoding="utf-8")
    sys.stdout.write(f"recorded {path.relative_to(folder)}: {len(history.events)} events\n")


def _without_machine(text: str) -> str:
    """The history without names of the machine it was recorded on: workers' identities and stack traces."""

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {key: "" if key in {"identity", "stackTrace"} else clean(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
        if isinstance(value, list):
            return [clean(one) for one in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
        return value

    return json.dumps(clean(json.loads(text)), indent=1, sort_keys=True)


def main() -> None:
    """Record everything."""
    if HISTORIES.exists():
        shutil.rmtree(HISTORIES)
    asyncio.run(record(HISTORIES))
    fingerprints.record()


if __name__ == "__main__":
    run_to_the_end(main)
