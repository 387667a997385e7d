"""A repository that means no good, and a worker's steps on it."""

import dataclasses
import itertools
import subprocess
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from temporalio.testing import ActivityEnvironment

from activities.sandbox.contracts import Source
from activities.sandbox.session_contracts import OpenSessionRequest
from activities.sandbox.sessions import HeldSessions, Owner
from activities.sandbox.tools import SessionActivities
from activities.step import Step
from connectors.artifacts import ArtifactStore
from sandbox.docker.provider import DockerSandbox
from sandbox.spec import MIB, Limits
from sandbox.tools.rules import SessionRules, ToolRules

REPOSITORY: Final = "acme/shop"
RULES: Final = ToolRules(
    run=(("python3", "play.py", "*"), ("python3", "-m", "unittest", "..."), ("sleep", "*"), ("true",))
)
LIMITS: Final = Limits(memory_bytes=256 * MIB, workspace_bytes=96 * MIB, tmp_bytes=16 * MIB, output_bytes=4096)
PLAY: Final = '''\
"""What a repository's own code does, once it may run."""
import os, subprocess, sys, pathlib
what = sys.argv[1]
if what == "print":
    print("x" * 20000)
elif what == "stay":
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
elif what == "eat":
    bytearray(1 << 30)
elif what == "link":
    os.link(".github/workflows/ci.yml", "harmless.md")
    os.symlink("/etc", "etc")
    os.symlink(".github/workflows", "flows")
elif what == "ci":
    pathlib.Path(".github/workflows/ci.yml").write_text("on: push # mine\\n")
    pathlib.Path("built.txt").write_text("built\\n")
    os.symlink("/etc/passwd", "passwd")
elif what == "git":
    with open(".git/config", "a") as config:
        config.write("[core]\\n fsmonitor = touch /tmp/owned\\n[diff]\\n external = touch /tmp/owned\\n")
    pathlib.Path(".git/info/exclude").write_text("*\\n")
    pathlib.Path(".git/index").write_bytes(b"")
    pathlib.Path(".gitattributes").write_text("* -diff\\n")
elif what == "owned":
    print(os.path.exists("/tmp/owned"), sorted(os.environ))
elif what == "tree":
    os.rename("/workspace/tree", "/workspace/other")
    os.symlink("/usr/lib/python3", "/workspace/tree")
elif what == "swap":
    os.remove("README.md")
    os.mkdir("README.md")
    pathlib.Path("README.md/yarn.lock").write_text("mine\\n")
elif what == "unswap":
    for one in ("locked/a.lock", "locked/b.md"):
        os.remove(one)
    os.rmdir("locked")
    pathlib.Path("locked").write_text("mine\\n")
elif what == "count":
    with open("/tmp/count", "a") as counted:
        counted.write("x")
    print(open("/tmp/count").read())
elif what == "fill":
    with open("big", "wb") as big:
        while True:
            big.write(b"x" * (1 << 20))
'''
OPEN: Final = SessionRules()
Answer = TypeVar("Answer", bound=BaseModel)
Request = TypeVar("Request", bound=BaseModel)


def hostile_repository(folder: Path) -> tuple[str, bytes]:
    """Its one commit, and the pack of it."""
    files = {
        "README.md": "# Shop\n\nBuy things.\n",
        "src/basket.py": "def total(prices):\n    return sum(prices)\n",
        "src/test_basket.py": "import unittest\nfrom basket import total\n\n\nclass Total(unittest.TestCase):\n"
        "    def test_it(self):\n        self.assertEqual(total([1, 2]), 3)\n",
        ".github/workflows/ci.yml": "on: push\n",
        ".gitignore": "ignored/\n",
        "locked/a.lock": "pinned\n",
        "locked/b.md": "b\n",
        "play.py": PLAY,
        "wide.txt": "w" * 70_000,
        "odd\u202ename.txt": "turned\n",
        "bytes.bin": "a\0b",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "out").symlink_to("/etc")
    (folder / "environ").symlink_to("/proc/self/environ")

    def git(*arguments: str, said: bytes = b"") -> bytes:
        argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder), *arguments]
        return subprocess.run(argv, input=said, capture_output=True, check=True).stdout

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "All of it")
    objects = git("rev-list", "--objects", "--no-object-names", "HEAD")
    return git("rev-parse", "HEAD").decode().strip(), git("pack-objects", "--stdout", "--quiet", said=objects)


class Ended:
    """Which goals run no more, as a test says it."""

    def __init__(self) -> None:
        self.owners: set[Owner] = set()

    async def runs(self, owner: Owner) -> bool:
        """See `activities.sandbox.sessions.Goals.runs`."""
        return owner not in self.owners


class Work:
    """A worker's steps.

    Args:
        sandbox: Where they run.
        store: Keeps the pack, and what is kept.
        source: The repository.
        image: By digest.
        every: Seconds between two looks at goals.
    """

    def __init__(
        self, sandbox: DockerSandbox, store: ArtifactStore, source: Source, *, image: str, every: float = 0.02
    ) -> None:
        self.sandbox, self.store, self.source = sandbox, store, source
        self._image, self._ids = image, itertools.count()
        self.ended = Ended()
        self.held = HeldSessions(self.ended, most=4, every=every)
        self.steps = self.another_worker()

    def another_worker(self, rules: ToolRules = RULES) -> SessionActivities:
        """Steps of a worker that holds nothing of another's."""
        return SessionActivities(self.sandbox, self.held, image=self._image, limits=LIMITS, rules=rules)

    async def open(self, rules: SessionRules = OPEN, *, call: str = "", run: str = "run-1") -> str:
        """A session's name."""
        asked = OpenSessionRequest(source=self.source, rules=rules)
        return (await self.environment(call=call, run=run).run(self.steps.open_session, asked)).session

    def environment(self, *, call: str = "", run: str = "run-1", attempt: int = 1) -> ActivityEnvironment:
        """Of one try of a call."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info, workflow_run_id=run, activity_id=call or f"call-{next(self._ids)}", attempt=attempt
        )
        return environment

    async def ask(
        self, step: Step[Any, Answer], session: str, *, call: str = "", attempt: int = 1, **asked: Any
    ) -> Answer:
        """What one call answers."""
        request = step.request.model_validate({"session": session, "repository": REPOSITORY, **asked})
        method = getattr(self.steps, step.name.partition(".")[2])
        return await self.environment(call=call, attempt=attempt).run(method, request)
