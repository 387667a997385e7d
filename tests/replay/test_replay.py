"""What runs now must still run after a release: recorded histories replay, and command sequences stay."""

import base64
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.replay.approvals import ASKINGS, Asking
from tests.replay.deliveries import DELIVERIES, INSTALLINGS, SWEEPINGS
from tests.replay.fingerprints import fingerprints, recorded
from tests.replay.health import REPORTINGS
from tests.replay.leases import LEASINGS
from tests.replay.opinions import JUDGINGS
from tests.replay.record import HISTORIES
from tests.replay.scenarios import SCENARIOS
from tests.replay.scheduled import SCHEDULINGS
from tests.replay.stacks import STACKINGS
from tests.replay.tampered import WithOneMoreCommand
from tests.workflows.played import scenarios
from workflows.catalogue import GOALS
from workflows.contracts import STATE_ATTRIBUTE
from workflows.github.job_contracts import GITHUB_JOB
from workflows.implementations import WORKFLOWS
from workflows.plugin import banksman_plugin

RECORDED = sorted(HISTORIES.rglob("*.json"))


def _history(path: Path) -> WorkflowHistory:
    """Under the id that it had: an approval's is in the ids of its children."""
    text = path.read_text(encoding="utf-8")
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


def _replayer(*workflows: type) -> Replayer:
    return Replayer(workflows=workflows, plugins=[banksman_plugin()])


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_history_replays(path: Path) -> None:
    await _replayer(*WORKFLOWS).replay_workflow(_history(path))


@pytest.mark.parametrize("asking", ASKINGS, ids=lambda asking: asking.name)
def test_each_end_of_an_approval_is_recorded_as_what_it_is(asking: Asking) -> None:
    events = json.loads((HISTORIES / "Approval" / f"{asking.name}.json").read_text(encoding="utf-8"))["events"]
    shown = [one for one in events if "upsertWorkflowSearchAttributesEventAttributes" in one]
    fields = shown[-1]["upsertWorkflowSearchAttributesEventAttributes"]["searchAttributes"]["indexedFields"]
    assert json.loads(base64.b64decode(fields[STATE_ATTRIBUTE.name]["data"])) == asking.state


def test_every_scenario_is_recorded_and_every_goal_has_one() -> None:
    every = (
        *SCENARIOS,
        *ASKINGS,
        *LEASINGS,
        *JUDGINGS,
        *DELIVERIES,
        *SWEEPINGS,
        *INSTALLINGS,
        *SCHEDULINGS,
        *REPORTINGS,
        *STACKINGS,
        *scenarios(),
    )
    wanted = set[tuple[str, str]]().union(*(one.recorded() for one in every))
    assert {(path.parent.name, path.stem) for path in RECORDED} == wanted
    played = {one.workflow for one in (*SCENARIOS, *STACKINGS)} | {one.goal.name for one in scenarios()}
    assert played == {goal.name for goal in (*GOALS, GITHUB_JOB)}


async def test_a_command_added_without_a_patch_is_noticed() -> None:
    with pytest.raises(NondeterminismError):
        await _replayer(WithOneMoreCommand).replay_workflow(_history(HISTORIES / "ReadFile" / "completed.json"))


def test_the_command_sequences_are_those_of_the_last_release() -> None:
    assert fingerprints() == recorded(), (
        "A workflow's commands changed. Runs that are under way replay the old sequence: gate the change with a patch "
        "(workflow.patched), then `make record-histories`, and say so in CHANGELOG.md. Where functions only have other "
        "names, `python -m tests.replay.fingerprints` records them, and no history changes."
    )


def test_no_history_names_a_machine() -> None:
    for path in RECORDED:
        text = json.dumps(json.loads(path.read_text(encoding="utf-8")))
        assert "/home/" not in text
        assert "site-packages" not in text
