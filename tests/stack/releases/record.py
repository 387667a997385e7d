"""Record what the embedded environment of this commit leaves, for the upgrade tests of later ones.

    python -m tests.stack.releases.record 2027-03-01

`tests/stack/test_upgrade.py` expects three goals in it: one that has ended (`done`), one whose step no worker has taken
(`runs`), and one that waits for an approval of its branch's deletion (`waits`).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from deploy.local.defaults import DEFAULT_POLICY
from tests.stack.running import Running, eventually

FOLDER: Final = Path(__file__).parent
BRANCH: Final = "feature/checkout"
_LEFT_OUT: Final = {"logs", "traces.db", "examples", "lock", "hooks"}
"""What a start makes anew, or what no upgrade has to keep."""


def policy(folder: Path) -> Path:
    """The policy of the environment, with a year for people to decide on a branch: as long as a policy may give."""
    file = folder / "policy.yaml"
    file.write_text(DEFAULT_POLICY.read_text().replace("approve_within: 1d", "approve_within: 365d", 1))
    return file


def repository(folder: Path) -> Path:
    """A small repository with one branch to delete."""
    folder.mkdir()

    def git(*words: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)

    git("init", "--initial-branch=main")
    (folder / "README.md").write_text("# Shop\n")
    git("add", ".")
    git("commit", "--message=Begin the shop")
    git("checkout", "-b", BRANCH)
    git("commit", "--allow-empty", "--message=Note the checkout")
    git("checkout", "main")
    return folder


def record(file: Path) -> None:
    """Start an environment, leave goals in it, end it, and keep its folder."""
    with tempfile.TemporaryDirectory(prefix="bm-") as made:
        folder = Path(made)
        running = Running(folder / "s")
        shop = f"acme/shop={repository(folder / 'shop')}"
        options = ("--detach", "--no-sandbox", "--policy", str(policy(folder)), "--repository", shop)
        assert running.banksman("up", *options, seconds=120).returncode == 0
        try:
            assert running.read_file("done")["result"]["outcome"] == "completed"
            wanted = json.dumps({"repository": "acme/shop", "branch": BRANCH})
            assert running.banksman("run", "DeleteBranch", "--input", wanted, "--id", "waits").returncode == 0
            eventually(lambda: json.loads(running.banksman("approvals", "--json").stdout), what="the approval")
            worker = running.pid("worker-connectors")
            assert worker is not None
            os.kill(worker, signal.SIGSTOP)
            running.start_file("runs")
        finally:
            running.banksman("down", seconds=120)
        for name in _LEFT_OUT:
            for left in running.home.rglob(name):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        with tarfile.open(file, "w:xz", preset=9) as archive:
            archive.add(running.home, arcname=".", filter=_of_nobody)


def _of_nobody(one: tarfile.TarInfo) -> tarfile.TarInfo:
    one.uid = one.gid = 0
    one.uname = one.gname = ""
    return one


if __name__ == "__main__":
    record(FOLDER / f"{sys.argv[1]}.tar.xz")
