"""For every run the sandbox loads the workflow's own module anew, and no other of ours: contracts stay as they are."""

import importlib.machinery
from types import ModuleType

import pytest
from temporalio import workflow
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from workflows.implementations import WORKFLOWS
from workflows.runner import sandbox_runner


@pytest.mark.parametrize("definition", WORKFLOWS, ids=lambda one: one.__name__)
async def test_a_run_loads_the_module_of_its_workflow_and_no_other(
    definition: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, defined = sandbox_runner(), workflow._Definition.must_from_class(definition)
    SandboxedWorkflowRunner.prepare_workflow(runner, defined)  # the first loads what is of the SDK and stays
    loaded: list[str] = []
    load = importlib.machinery.SourceFileLoader.exec_module

    def noted(self: importlib.machinery.SourceFileLoader, module: ModuleType) -> None:
        if not hasattr(module, "__path__"):  # of a package only its docstring is loaded
            loaded.append(module.__name__)
        load(self, module)

    monkeypatch.setattr(importlib.machinery.SourceFileLoader, "exec_module", noted)
    SandboxedWorkflowRunner.prepare_workflow(runner, defined)
    assert loaded == [definition.__module__]
