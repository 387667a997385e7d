"""One call of a tool: the order that carries it, and its answer, read as the word of a stranger."""

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from sandbox.errors import SandboxUnavailable
from sandbox.result import RunResult
from sandbox.spec import MIB, InputArtifact, InputFile, Limits, RunSpec
from sandbox.tools import inside

MOST_TEXT: Final = inside.TEXT_BYTES
"""Bytes of text that one answer has."""
MOST_CHANGED: Final = 200
"""Files that a change may have."""
SECONDS: Final = 60.0
"""That one call of a tool may take; a command has its own."""
_SOURCE: Final = Path(inside.__file__).read_text(encoding="utf-8")
_ANSWER_BYTES: Final = MIB
_KEPT_BYTES: Final = 16 * MIB
_Answer = TypeVar("_Answer", bound=BaseModel)


class Place(BaseModel):
    """Where a session's calls run.

    Attributes:
        run_id: Names the container.
        image: By digest.
        limits: Of the container; each call has its own time and output.
        environment: Of commands.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    image: str
    limits: Limits
    environment: Mapping[str, str] = Field(default_factory=dict[str, str])

    def command(self, argv: Sequence[str], *, directory: str | None, seconds: float) -> RunSpec:
        """A command as it is."""
        limits = self.limits.model_copy(update={"wall_seconds": seconds})
        return RunSpec(
            run_id=self.run_id,
            image=self.image,
            argv=tuple(argv),
            directory=directory,
            environment=self.environment,
            limits=limits,
        )

    def tool(self, asked: Mapping[str, JsonValue], *, given: bytes | None = None, pack: str | None = None) -> RunSpec:
        """One of `inside`'s tools.

        Args:
            asked: As it takes it.
            given: The content of the file that `asked` calls `given`.
            pack: The commit's, where the tool makes git's folder anew.
        """
        mark = uuid.uuid4().hex  # nobody inside can have laid something there before
        names = {"given": f"given-{mark}" if given is not None else None, "pack": f"pack-{mark}" if pack else None}
        out = f"out-{mark}"
        limits = {"wall_seconds": SECONDS, "output_bytes": _ANSWER_BYTES, "artifact_bytes": _KEPT_BYTES}
        return RunSpec(
            run_id=self.run_id,
            image=self.image,
            argv=("python3", "-I", "-S", "-c", _SOURCE, json.dumps({**asked, **names, "out": out})),
            files=() if given is None else (InputFile(path=str(names["given"]), content=given),),
            inputs=() if pack is None else (InputArtifact(path=str(names["pack"]), reference=pack),),
            artifacts=(out,) if asked["tool"] == "keep" else (),
            limits=Limits.model_validate({**self.limits.model_dump(), **limits, "artifact_files": MOST_CHANGED + 1}),
        )


class _Refusal(BaseModel):
    refused: str


def answer_of(result: RunResult, kind: type[_Answer]) -> _Answer | str:
    """What a tool answered, or why it did not do it.

    Raises:
        SandboxUnavailable: It answered nothing that can be read.
    """
    if result.ended != "exit" or result.exit_code != 0 or result.stdout.truncated:
        ended = result.ended if result.ended != "exit" else f"status {result.exit_code}"
        if result.ended in {"timeout", "out_of_memory"}:
            return f"it took more {'time' if result.ended == 'timeout' else 'memory'} than it may, and was stopped"
        raise SandboxUnavailable(f"a tool ended with {ended}: {result.stderr.text[-300:]!r}")
    try:
        said = json.loads(result.stdout.head)
        return _Refusal.model_validate(said).refused if "refused" in said else kind.model_validate(said)
    except (ValueError, TypeError, ValidationError) as error:
        raise SandboxUnavailable("a tool's answer cannot be read") from error
