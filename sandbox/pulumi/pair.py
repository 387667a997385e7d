"""Runs the engine and the program of one operation side by side, and takes both away at its end."""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pydantic import SecretBytes, ValidationError

from sandbox.docker.container import Container
from sandbox.docker.provider import DockerSandbox, Part
from sandbox.errors import SandboxError
from sandbox.protocol import LastLook, StreamName
from sandbox.pulumi import inside
from sandbox.pulumi.inside.order import EngineOrder, EngineReport
from sandbox.pulumi.joint import joint_volume
from sandbox.pulumi.outcome import OnProgress, ResourceProgress
from sandbox.pulumi.policies import PACKS
from sandbox.pulumi.request import HOST_PREFIX, CloudState, Program, StackRequest
from sandbox.result import RunResult
from sandbox.spec import InputArtifact, InputFile, RunSpec

_INSIDE: Final = Path(inside.__file__).parent
_MAIN: Final = "import asyncio\n\nfrom sandbox.pulumi.inside.{module} import main\n\nasyncio.run(main())\n"
_BESIDE_THE_PROGRAM: Final = ("__init__", "order", "packs", "passing", "program")
_INTERRUPT: Final = ("/bin/sh", "-c", "kill -INT $(cat /tmp/engine.pid)")
_END_SECONDS: Final = 60
"""For what comes after Pulumi was stopped: looking at the state, and the report."""
_ASK_SECONDS: Final = 1
_LONGEST_LINE: Final = 65536
AUTHORITY: Final = "/workspace/authority.pem"
"""Where the engine finds the certificates that prove the state's backend."""


@dataclass(frozen=True)
class Work:
    """What the two containers do.

    Attributes:
        request: For whom.
        order: For the engine's.
        inputs: Artifacts that the engine's is given.
        artifacts: What is kept of its workspace.
        program: For the other; None: there is no other.
        identity: The source of `state_identity`.
        last_look: Awaited right before the engine's container is given its order, with the secrets in it.
    """

    request: StackRequest
    order: EngineOrder
    inputs: Sequence[InputArtifact]
    artifacts: Sequence[str]
    program: Program | None
    identity: bytes
    last_look: LastLook | None = None


class Pair:
    """One run.

    Args:
        sandbox: Makes the containers.
        work: What they do.
        on_progress: Told of each resource.
    """

    def __init__(self, sandbox: DockerSandbox, work: Work, on_progress: OnProgress | None) -> None:
        self._sandbox, self._work, self._on_progress = sandbox, work, on_progress
        self._line = b""
        self.engine: Container | None = None

    async def run(self, secrets: Mapping[str, SecretBytes]) -> RunResult:
        """To the end of the engine's order. When it is cancelled, Pulumi is stopped as a person would, first.

        Raises:
            SandboxError: By its tree.
        """
        request = self._work.request
        lifetime = request.allowed_seconds + 4 * request.engine.stop_seconds + _END_SECONDS
        async with self._sandbox.slot(), contextlib.AsyncExitStack() as stack:
            volume = None
            if self._work.program is not None:
                made = joint_volume(self._sandbox.containers, request.run_id, 2 * lifetime)
                volume = await stack.enter_async_context(made)
            engine = asyncio.create_task(self._engine(volume, secrets, lifetime))
            program = asyncio.create_task(self._program(volume, lifetime))
            try:
                await self._both(engine, program)
                return engine.result()
            except asyncio.CancelledError:
                await self._stop(engine)
                raise
            finally:
                for task in (engine, program):
                    task.cancel()
                # The program's container goes while the caller goes on, as the engine's does.
                self._sandbox.containers.later(_end(program))
                await asyncio.gather(engine, return_exceptions=True)

    async def _both(self, engine: "asyncio.Task[RunResult]", program: "asyncio.Task[None]") -> None:
        """Until the engine has ended; a program that cannot be begun ends it."""
        await asyncio.wait({engine, program}, return_when=asyncio.FIRST_COMPLETED)
        if not engine.done() and program.exception() is not None:
            await self._stop(engine)
            program.result()
        await asyncio.wait({engine})

    async def _stop(self, engine: "asyncio.Task[RunResult]") -> None:
        """Ask Pulumi to stop, and wait until it has, and has given its lock back."""
        seconds = 2 * self._work.request.engine.stop_seconds + _END_SECONDS
        asking = asyncio.create_task(self._ask())
        try:
            await asyncio.wait({engine, asking}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask(self) -> None:
        """Again and again, because the first time may be too early; ends when there is nobody to ask."""
        api, call = self._sandbox.containers.engine.api, self._sandbox.containers.engine.call
        with contextlib.suppress(SandboxError):
            while self.engine is not None:
                made = await call(api.exec_create, self.engine.id, _INTERRUPT)
                await call(api.exec_start, str(made["Id"]), detach=True)
                await asyncio.sleep(_ASK_SECONDS)

    async def _engine(self, volume: str | None, secrets: Mapping[str, SecretBytes], lifetime: float) -> RunResult:
        request = self._work.request
        spec = RunSpec(
            run_id=f"{request.run_id}-engine",
            image=request.engine.image,
            argv=("python3", "-s", "/workspace/lib"),
            files=self._files(),
            inputs=tuple(self._work.inputs),
            artifacts=tuple(self._work.artifacts),
            limits=request.engine.limits.model_copy(update={"wall_seconds": lifetime}),
            purpose=request.engine.purpose,
            work="stack",
        )
        part = Part(
            volume=volume,
            hostname=f"{HOST_PREFIX}{request.run_id}",
            started=self._started,
            last_look=self._work.last_look,
        )
        return await self._sandbox.run_part(spec, part, secrets=secrets, on_output=self._heard)

    async def _program(self, volume: str | None, lifetime: float) -> None:
        """Until somebody ends it: it never ends the run by itself."""
        request, program = self._work.request, self._work.program
        if program is None:
            return
        libraries = program.libraries
        inputs = [InputArtifact(reference=program.archive, path="program.tar", unpack_into="program")]
        if libraries is not None:
            inputs.append(InputArtifact(reference=libraries, path="libraries.tar", unpack_into="libraries"))
        spec = RunSpec(
            run_id=f"{request.run_id}-program",
            image=request.engine.image,
            argv=("python3", "-s", "/workspace/lib"),
            files=(
                InputFile(path="lib/__main__.py", content=_MAIN.format(module="program").encode()),
                *(_sent(_INSIDE / f"{name}.py") for name in _BESIDE_THE_PROGRAM),
            ),
            inputs=tuple(inputs),
            limits=request.engine.program_limits.model_copy(update={"wall_seconds": lifetime}),
        )
        await self._sandbox.run_part(spec, Part(volume=volume, hostname="program"))

    def _files(self) -> tuple[InputFile, ...]:
        request = self._work.request
        written = {
            "order.json": json.dumps(self._work.order).encode(),
            "project/Pulumi.yaml": request.project.written(),
            f"project/{self._work.order['settings']}": request.settings.written(),
            "lib/__main__.py": _MAIN.format(module="engine").encode(),
            "lib/banksman_state_identity.py": self._work.identity,
        }
        if isinstance(request.state, CloudState) and request.state.authority:
            written[Path(AUTHORITY).name] = request.state.authority.encode()
        for pack in self._work.program.policies if self._work.program is not None else ():
            written |= {f"{PACKS}/{pack.folder}/{name}": content for name, content in pack.written().items()}
        return (
            *(InputFile(path=path, content=content) for path, content in written.items()),
            *map(_sent, _INSIDE.glob("*.py")),
        )

    def _started(self, container: Container) -> None:
        self.engine = container

    def _heard(self, stream: StreamName, data: bytes) -> None:
        if stream != "stdout" or self._on_progress is None:
            return
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-_LONGEST_LINE:]
        for line in lines:
            with contextlib.suppress(ValidationError):
                self._on_progress(ResourceProgress.model_validate_json(line))


def _sent(path: Path) -> InputFile:
    """A module of `inside`, where Python finds it."""
    return InputFile(path=f"lib/sandbox/pulumi/inside/{path.name}", content=path.read_bytes())


async def _end(program: "asyncio.Task[None]") -> None:
    """Wait until it is gone."""
    await asyncio.gather(program, return_exceptions=True)


def report_of(content: bytes) -> EngineReport:
    """The engine's own report, which only our code in its container writes."""
    return cast("EngineReport", json.loads(content))
