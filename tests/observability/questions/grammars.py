"""Parses PromQL, LogQL and TraceQL with the grammars of Prometheus's and Grafana's own editors, which Node runs.

Loki and Tempo are not built here: that a query of theirs is one at all is told by these alone.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.tools import DEFAULT_CACHE, Tool, ToolUnavailableError, require_success, resolve, tell
from tests.observability.questions.everywhere import Language, Question

_HERE: Final = Path(__file__).parent
_LOCK: Final = "package-lock.json"
_SECONDS: Final = 30


@dataclass(frozen=True)
class Parsed:
    """What a grammar makes of a question.

    Attributes:
        wrong: Where it is no query, by character; empty for a query.
        selectors: What it selects from series, as it is written; of PromQL alone.
    """

    wrong: tuple[int, ...]
    selectors: tuple[str, ...]


@dataclass(frozen=True)
class Grammars:
    """The grammars, ready to be asked.

    Attributes:
        node: The program.
        folder: With `node_modules`.
    """

    node: Path
    folder: Path

    def parse(self, asked: Sequence[tuple[Language, str]]) -> list[Parsed]:
        """What each is, in their order.

        Raises:
            AssertionError: Node could not run the grammars.
        """
        given = json.dumps([{"language": language, "text": text} for language, text in asked])
        words = [str(self.node), str(_HERE / "parse.mjs"), str(self.folder)]
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return [Parsed(tuple(one["wrong"]), tuple(one["selectors"])) for one in json.loads(done.stdout)]

    def of(self, questions: Sequence[Question]) -> list[Parsed]:
        """What each question is, as it is sent."""
        return self.parse([(one.language, one.sent) for one in questions])


async def find_grammars(cache: Path = DEFAULT_CACHE) -> Grammars:
    """The grammars at the versions of the lock file, installed by npm the first time; some seconds.

    Raises:
        ToolUnavailableError: There is no Node or no npm here, or its registry cannot be reached.
    """
    node = (await resolve(Tool.NODE)).path
    lock = (_HERE / _LOCK).read_bytes()
    folder = cache / f"query-grammars-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "whole").exists():
        npm = shutil.which("npm")
        if npm is None:
            raise ToolUnavailableError("npm is not here, which comes with Node: https://nodejs.org")
        tell("installing the grammars of PromQL, LogQL and TraceQL with npm")
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", _LOCK):
            shutil.copy(_HERE / name, folder / name)
        await require_success([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
        (folder / "whole").touch()
    return Grammars(node, folder)
