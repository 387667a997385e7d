"""Workflow code reads a manifest in the SDK's sandbox, and comes to the same when it is replayed."""

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

from tests.workflows.manifest.reads_manifest import ReadsManifestWorkflow
from tests.workflows.manifest.told import SMALL, WHOLE
from workflows.plugin import banksman_plugin


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WHOLE, "shop-web"),
        (SMALL, "shop"),
        (SMALL + "x: 1\n", "banksman.yaml:5:1: x: unknown key 'x'; Known here: version, service, test"),
        ("a: &a [*a]", "banksman.yaml:1:4: file: anchors and aliases"),
    ],
    ids=["whole", "small", "wrong", "bomb"],
)
async def test_a_workflow_reads_it_as_everybody_does(client: Client, goal_id: str, text: str, told: str) -> None:
    async with Worker(client, task_queue=goal_id, workflows=[ReadsManifestWorkflow]):
        handle = await client.start_workflow(ReadsManifestWorkflow.run, text, id=goal_id, task_queue=goal_id)
        assert (await handle.result()).startswith(told)
    history = await handle.fetch_history()
    await Replayer(workflows=[ReadsManifestWorkflow], plugins=[banksman_plugin()]).replay_workflow(history)
