"""Code that replays is another version as soon as one module of ours that workflows load is another."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from workers.replayed import PACKAGES, SOURCES, replayed_modules
from workers.temporal import build_id


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of all that is ours, to be changed."""
    for package in PACKAGES:
        shutil.copytree(SOURCES / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _append(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n# as it was, and a line more\n")


def _write(sources: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "module",
    [
        "activities/pulumi/contracts.py",
        "connectors/__init__.py",
        "connectors/pulumi/outcome.py",
        "hitl/approval/decision.py",
        "hitl/approval/plan.py",
        "observability/redaction.py",
        "sandbox/result.py",
        "workflows/arriving.py",
        "workflows/repository/delete_branch.py",
        "workflows/failures.py",
        "workflows/repository/a_new_one.py",
    ],
)
def test_a_changed_module_that_workflows_load_is_another_version(sources: Path, module: str) -> None:
    before = build_id(sources)
    _append(sources / module)
    assert build_id(sources) != before


@pytest.mark.parametrize(
    "file",
    [
        "activities/guard/interceptor.py",
        "connectors/github/twin/app.py",
        "docs/errors.md",
        "hitl/slack/app.py",
        "tests/workflows/test_goal.py",
        "workers/roles/connectors.py",
        "hitl/approval/nothing_loads_this.py",
    ],
)
def test_what_workflows_do_not_load_leaves_the_version_as_it_is(sources: Path, file: str) -> None:
    before = build_id(sources)
    _append(sources / file)
    assert build_id(sources) == before


def test_the_same_sources_elsewhere_are_the_same_version(sources: Path) -> None:
    assert build_id(sources) == build_id()


def test_a_module_that_only_moved_is_another_version(sources: Path) -> None:
    before = build_id(sources)
    (sources / "hitl/approval/plan.py").rename(sources / "hitl/planned.py")
    for path in replayed_modules(sources).values():
        path.write_text(
            path.read_text(encoding="utf-8").replace("hitl.approval.plan import", "hitl.planned import"), "utf-8"
        )
    assert "hitl.planned" in replayed_modules(sources)
    assert build_id(sources) != before


def test_every_module_that_a_process_loads_with_the_workflows_is_counted() -> None:
    code = "import sys, workflows.implementations; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] in PACKAGES}
    assert {"workflows.goal", "hitl.approval.plan", "connectors.pulumi.outcome"} < loaded
    assert loaded <= set(replayed_modules())


def test_however_a_module_is_imported_it_is_found(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "workflows/__init__.py": "",
            "workflows/start.py": (
                "from activities import (\n    one,  # the (first)\n    two as second,\n)\n"
                "import os, hitl.three as third\n"
                "from connectors.pulumi import \\\n    four\n\n\n"
                "def later() -> None:\n    from sandbox.five import DONE\n"
                "try:\n\timport observability.six\nexcept ImportError:\n    pass\n"
            ),
            "activities/__init__.py": "import workers.seven",
            "activities/one.py": "import workflows.start\n",
            "activities/two.py": '"""Nothing\n\nfrom which anybody could import anything."""',
            "activities/unseen.py": "",
            "hitl/three.py": "from hitl.plan.eight import nine",
            "hitl/plan/__init__.py": "",
            "hitl/plan/eight/__init__.py": "nine = 9",
            "connectors/pulumi/four.py": "",
            "sandbox/five.py": "",
            "observability/six.py": "",
            "workers/seven.py": "",
        },
    )
    assert list(replayed_modules(tmp_path)) == [
        "activities",
        "activities.one",
        "activities.two",
        "connectors.pulumi.four",
        "hitl.plan",
        "hitl.plan.eight",
        "hitl.three",
        "observability.six",
        "sandbox.five",
        "workers.seven",
        "workflows",
        "workflows.start",
    ]


def test_without_workflows_there_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no module 'workflows'"):
        build_id(tmp_path)


def test_the_packages_are_those_of_the_distribution() -> None:
    project = tomllib.loads((SOURCES / "pyproject.toml").read_text(encoding="utf-8"))
    assert frozenset(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
