"""The two runs of an update: one with a way to the registries, one with a way to who knows of vulnerabilities.

Neither has a credential. The first reaches registries through the mirror, which takes nothing of it but a host of its
list and a path; the second reaches exact hosts, and no registry through the mirror.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from sandbox.spec import MIB, ImageDigest, InputArtifact, Limits, RunSpec
from sandbox.updates import inside, modules, pins
from sandbox.updates import tree as in_tree

REGISTRIES: Final = "package-registries"
"""The purpose whose mirror leads to the registries."""
ADVISORIES: Final = "package-advisories"
"""The purpose whose hosts know what is vulnerable."""
OUT: Final = "out"
SUMS: Final = ("sums-before", "sums-after", "sums-all")
"""Of what has its digests in a file beside it."""
KEPT: Final = ("before", "after", "all", "patch", "libraries.tar", *SUMS)
_OURS: Final = re.compile(r"^from (sandbox\.updates\.\w+|__future__) import (\([^)]*\)|[^\n(]*)\n", re.MULTILINE)


def _joined() -> str:
    """All that runs inside as one text: no module of ours is there to import."""
    parts = (Path(str(one.__file__)).read_text(encoding="utf-8") for one in (in_tree, pins, modules, inside))
    return "from __future__ import annotations\n" + "\n".join(_OURS.sub("", one) for one in parts)


SOURCE: Final = _joined()
"""What runs inside."""
_LIMITS: Final = Limits(
    memory_bytes=3072 * MIB, cpus=2, workspace_bytes=2048 * MIB, workspace_inodes=400_000, tmp_bytes=256 * MIB,
    wall_seconds=900, output_bytes=2 * MIB, artifact_bytes=768 * MIB, artifact_files=8,
)  # fmt: skip
_ENVIRONMENT: Final = {
    "UV_CACHE_DIR": "/workspace/cache-of-uv",
    "UV_HTTP_TIMEOUT": "60",
    "npm_config_cache": "/workspace/cache-of-npm",
    "GOPATH": "/workspace/cache-of-go",
    "GOCACHE": "/workspace/cache-of-go/built",
    "npm_config_ignore_scripts": "true",
}


def update_spec(run_id: str, image: ImageDigest, tree: "Tree", asked: dict[str, JsonValue]) -> RunSpec:
    """A run that writes a lock file anew, and keeps that with what tests need.

    Args:
        run_id: Names it.
        image: With the tools.
        tree: What it works in.
        asked: As `inside.update` takes it.
    """
    spec = _spec(run_id, image, tree, {"do": "update", "out": f"../{OUT}", **asked})
    return spec.model_copy(update={"purpose": REGISTRIES, "artifacts": tuple(f"{OUT}/{one}" for one in KEPT)})


def audit_spec(run_id: str, image: ImageDigest, tree: "Tree", *, lock: str, service: str) -> RunSpec:
    """A run that asks what is known against the versions of a lock file, and against those of the commit.

    Args:
        run_id: Names it.
        image: With the tools.
        tree: What it works in.
        lock: The lock file's path.
        service: Who is asked.
    """
    spec = _spec(run_id, image, tree, {"do": "audit", "lock": lock, "service": service})
    return spec.model_copy(update={"purpose": ADVISORIES})


class Tree:
    """How the work tree is made.

    Args:
        script: Takes the commit from the arguments, and ends in the tree.
        commit: Its id.
        inputs: What the script needs.
    """

    def __init__(self, script: str, commit: str, inputs: Sequence[InputArtifact]) -> None:
        self.argv = ("sh", "-euc", f'{script}\nexec python3 -I -S -c "$@"', "sh", commit, SOURCE)
        self.inputs = tuple(inputs)


def _spec(run_id: str, image: ImageDigest, tree: Tree, told: dict[str, JsonValue]) -> RunSpec:
    return RunSpec(
        run_id=run_id,
        image=image,
        argv=(*tree.argv, json.dumps(told)),
        inputs=tree.inputs,
        environment=_ENVIRONMENT,
        limits=_LIMITS,
        work="packages",
    )
