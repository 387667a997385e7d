"""What leads to commands is seen wherever it lies and whatever wraps it, and nothing else is."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.replay.fingerprints import fingerprints
from workers.replayed import PACKAGES, SOURCES, replayed_modules
from workflows.implementations import WORKFLOWS
from workflows.unknown_goal import UnknownGoalWorkflow

pytestmark = pytest.mark.slow

COMMANDS: Final = {
    "a timer": "async def late(x):\n    await workflow.sleep(1)\n",
    "a timer of asyncio's": "async def late(x):\n    async with asyncio.timeout(5):\n        await x\n",
    "a wait": "async def late(x):\n    await workflow.wait_condition(lambda: x, timeout=1)\n",
    "an activity": "async def late(x):\n    await workflow.start_activity('x')\n",
    "a signal": "async def late(x):\n    await x.signal('now')\n",
    "a cancellation": "async def late(x):\n    x.child.cancel()\n",
    "a patch": "async def late(x):\n    return x or workflow.patched('x')\n",
    "the end of a run": "async def late(x):\n    workflow.continue_as_new(x)\n",
    "what a later SDK may bring": "async def late(x):\n    await workflow.brew_coffee()\n",
    "a name of the SDK's own": "from temporalio.workflow import sleep as nap\n\nasync def late(x):\n    await nap(1)\n",
    "a module under another name": "async def late(x):\n    api = workflow\n    await api.brew_coffee(1)\n",
    "a name that is made": "async def late(x):\n    await getattr(workflow, x)(1)\n",
    "an interceptor's": "async def late(x):\n    await x.next.start_child_workflow(x)\n",
    "a function handed on": "async def late(x):\n    await x.call(workflow.sleep)\n",
    "a method handed on": "async def late(x):\n    await x.call(under=x.goal.approved_step)\n",
    "a function inside": "async def late(x):\n    async def nap():\n        await workflow.sleep(1)\n    await nap()\n",
    "a name that is another one inside": (
        "from workflows.some.probes.nearby import rest\n\n"
        "async def late(x):\n    def inside():\n        rest = x\n        return rest\n    await rest()\n"
    ),
    "a table": "TABLE = {1: workflow.sleep}\n\nasync def late(x):\n    await TABLE[x](1)\n",
    "a step of a goal": "async def late(goal, x):\n    await goal.step(x)\n",
    "what a block ends with": "async def late(x):\n    with Parking():\n        await x\n",
    "what keeps to a protocol": (
        "class Tells(Protocol):\n    async def tell(self, step: str) -> None: ...\n\n"
        "async def late(x: Tells):\n    await x.tell('a')\n"
    ),
    "a property": (
        "class Some:\n    @property\n    def rest(self):\n        return workflow.sleep(1)\n\n"
        "async def late(x: Some):\n    await x.rest\n"
    ),
    "a class above": (
        "class Above:\n    async def rest(self):\n        await workflow.sleep(1)\n\nclass Below(Above):\n    pass\n\n"
        "async def late(x: Below):\n    await x.rest()\n"
    ),
    "a class below": (
        "class Above:\n    async def rest(self): ...\n\n"
        "class Below(Above):\n    async def rest(self):\n        await workflow.sleep(1)\n\n"
        "async def late(x: Above):\n    await x.rest()\n"
    ),
    "what an object keeps": (
        "class Some:\n    def __init__(self, parking: Parking):\n        self._parking = parking\n\n"
        "    async def late(self, x):\n        await self._parking.tell(x)\n"
    ),
    "a neighbour": "from .nearby import rest\n\nasync def late(x):\n    await rest()\n",
    "what a package hands on": "from hitl.waiting import rest\n\nasync def late(x):\n    await rest()\n",
}
QUIET: Final = {
    "what is only read": "async def late(x):\n    return workflow.now(), workflow.info().run_id, workflow.uuid4()\n",
    "a line of a log": "async def late(x):\n    workflow.logger.info('x')\n",
    "what is said of oneself": "async def late(x):\n    workflow.set_current_details('x')\n",
    "a field named as a step": "async def late(x: StepWaits):\n    return x.step\n",
    "an annotation": "async def late(x: workflow.ChildWorkflowHandle):\n    y: workflow.Handle = x\n    return y\n",
    "a way to end": "async def late(x):\n    return workflow.ParentClosePolicy.ABANDON\n",
    "a step's own code": "async def late(x):\n    return StackActivities.detect_drift\n",
    "a field of the same name elsewhere": (
        "class Some:\n    def __init__(self):\n        self.tell = 'a'\n\n"
        "    def late(self, x):\n        return self.tell\n"
    ),
}
_IMPORTS: Final = (
    "import asyncio\nfrom typing import Protocol\n\nfrom temporalio import workflow\n\n"
    "from activities.pulumi.looking import StackActivities\nfrom workflows.goal import StepWaits\n"
    "from workflows.parking import Parking\n\n"
)


def _copy(folder: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(SOURCES / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of all that is ours, to be changed."""
    return _copy(tmp_path)


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What is noticed of all these, each in a module of its own in a package within a package, which nothing loads."""
    sources = _copy(tmp_path_factory.mktemp("probed"))
    folder = sources / "workflows/some/probes"
    _write(folder / "__init__.py", "")
    _write(folder / "nearby.py", "from temporalio.workflow import sleep\n\nasync def rest():\n    await sleep(1)\n")
    _write(sources / "hitl/waiting/__init__.py", "from hitl.waiting.long import rest\n")
    _write(sources / "hitl/waiting/long.py", "import asyncio\n\nasync def rest():\n    await asyncio.sleep(1)\n")
    for name, text in (COMMANDS | QUIET).items():
        _write(folder / f"{_probe(name)}.py", _IMPORTS + text.replace("late", _probe(name)))
    return set(fingerprints(sources))


def _probe(name: str) -> str:
    return "probe_" + name.replace(" ", "_").replace("'", "")


def _noticed(name: str, found: set[str]) -> bool:
    return not {_probe(name), f"Some.{_probe(name)}"}.isdisjoint(found)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_in_a_package_within_a_package_is_noticed(name: str, probed: set[str]) -> None:
    assert _noticed(name, probed)


@pytest.mark.parametrize("name", QUIET)
def test_what_is_no_command_is_not_noticed(name: str, probed: set[str]) -> None:
    assert not _noticed(name, probed)


@pytest.mark.parametrize("wrapper", ["workflows/some/waiting.py", "hitl/waiting.py"])
def test_a_new_command_behind_a_wrapper_is_noticed_where_it_is_used(sources: Path, wrapper: str) -> None:
    before = fingerprints(sources)
    module = wrapper.removesuffix(".py").replace("/", ".")
    _write(
        sources / wrapper,
        "import asyncio\n\nasync def linger():\n    await _rest()\n\nasync def _rest():\n    await asyncio.sleep(1)\n",
    )
    goal = sources / "workflows/repository/read_file.py"
    text = goal.read_text(encoding="utf-8").replace("await self.step(", "await linger() or await self.step(", 1)
    goal.write_text(f"from {module} import linger\n{text}", encoding="utf-8")
    added = {"ReadFileWorkflow._read": ["linger", *before["ReadFileWorkflow._read"]]}
    assert fingerprints(sources) == before | added | {"linger": ["_rest"], "_rest": ["asyncio.sleep(1)"]}


def test_one_step_more_is_one_line_more(sources: Path) -> None:
    before = fingerprints(sources)
    goal = sources / "workflows/goal.py"
    count = "        parking.times += 1\n"
    text = goal.read_text(encoding="utf-8")
    goal.write_text(text.replace(count, f"{count}        await parking.tell('')\n"), encoding="utf-8")
    after = fingerprints(sources)
    assert {name for name in after if after[name] != before.get(name)} == {"Goal.park"}
    assert len(after["Goal.park"]) == len(before["Goal.park"]) + 1


def test_a_module_that_only_moves_leaves_all_as_it_is(sources: Path) -> None:
    before = fingerprints(sources)
    _write(sources / "workflows/pulumi/__init__.py", "")
    (sources / "workflows/pulumi/lock.py").rename(sources / "workflows/pulumi/lock.py")
    for path in (sources / "workflows").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("workflows.pulumi.lock", "workflows.pulumi.lock"), encoding="utf-8")
    assert "workflows.pulumi.lock" in replayed_modules(sources)
    assert fingerprints(sources) == before


def test_what_wraps_commands_here_is_known() -> None:
    found = fingerprints()
    assert "approved_step(DELETE_BRANCH)" in found["DeleteBranchWorkflow._delete"]
    assert "holding" in found["RestoreStateWorkflow._restore"]
    assert "park" in found["Goal.step"]
    assert "post" in found["ApprovalWorkflow._keep_people_informed"]
    assert "tell(waits.step)" in found["Goal.park"]


def test_each_workflow_that_runs_is_there_from_its_first_command_on() -> None:
    found = fingerprints()
    assert [one.__name__ for one in WORKFLOWS if f"{one.__name__}.run" not in found] == [UnknownGoalWorkflow.__name__]
