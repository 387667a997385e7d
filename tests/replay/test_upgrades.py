"""An upgrade of what talks to models replays every agent's history: workflows are none of its doing."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from tests.replay.record import HISTORIES
from tests.replay.without_providers import LIBRARIES
from workflows.catalogue import GOALS

_ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = ("agent", "coding", "reader", "serving")
"""Of `workflows`: where a model is asked, or served."""


def _asking_models() -> list[str]:
    return sorted(one.name for one in GOALS if type(one.example).__module__.split(".")[1] in _FOLDERS)


def test_agents_histories_replay_where_no_library_of_a_provider_can_be_imported() -> None:
    paths = sorted(path for name in _asking_models() for path in (HISTORIES / name).glob("*.json"))
    assert {"AskFor", "EditRepository", "Investigate", "ReadText", "RunPlan"} <= {path.parent.name for path in paths}
    run = [sys.executable, "-m", "tests.replay.without_providers", *map(str, paths)]
    done = subprocess.run(run, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) == len(paths)


def test_the_libraries_are_those_that_only_the_models_connectors_may_import() -> None:
    settings: Any = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [one for one in settings["tool"]["importlinter"]["contracts"] if "forbidden_modules" in one]
    assert [one for one in contracts if set(one["forbidden_modules"]) == set(LIBRARIES)]
