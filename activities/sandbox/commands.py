"""Steps in the sandbox: each is one command in one fresh container, with nothing of the worker's in it.

What a command needs of a repository comes as a pack, which nobody has opened before: the container makes the work tree
of it, so that a hostile repository meets git where there is nothing to gain. What a command prints is a stranger's
word: bounded, with known secrets masked, and never taken for the step's own error.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from pydantic import SecretBytes, SecretStr
from temporalio import activity

from activities.sandbox.contracts import RUN_COMMAND, ArtifactKept, CommandRun, RunCommandRequest
from activities.sandbox.output import LiveOutput, masked
from activities.sandbox.source import CHECK_OUT, MARK, PACK, TREE, checked_out
from activities.step import implements
from connectors.errors import InvalidRequest
from observability.redaction import redact
from sandbox.protocol import Sandbox
from sandbox.result import RunResult
from sandbox.spec import InputArtifact, Limits, RunSpec

_MOST_TOLD: Final = 200  # of the network: a history is no place for thousands of lines
_RUN: Final = f"""\
{CHECK_OUT}
exec "$@"
"""


class Unsealer(Protocol):
    """Opens what was sealed for one run."""

    async def unseal(self, sealed: str, *, run: str) -> Mapping[str, SecretStr]:
        """The secrets, by the names of the files that they become. It works once."""
        ...


class SandboxActivities:
    """The steps of one worker, on one engine.

    Args:
        sandbox: Runs them.
        image: What they run in, by digest.
        limits: What each may use; the time is the request's.
        secrets: Opens what other steps sealed.
    """

    def __init__(self, sandbox: Sandbox, *, image: str, limits: Limits, secrets: Unsealer) -> None:
        self._sandbox = sandbox
        self._image = image
        self._limits = limits
        self._secrets = secrets

    @implements(RUN_COMMAND)
    async def run_command(self, request: RunCommandRequest) -> CommandRun:
        """Run one command; it is tried again only where the sandbox failed, never where the command did.

        Raises:
            SandboxError: As the tree in `sandbox/errors.py` says; the guard maps it.
            ConnectorError: The artifact store or Vault failed, or the commit could not be checked out.
        """
        info = activity.info()
        spec = self._spec(request, run_id=f"{info.workflow_run_id}-{info.activity_id}-{info.attempt}")
        secrets = await self._open(request, run=info.workflow_run_id or "")
        hidden = tuple(secret.get_secret_value() for secret in secrets.values())
        live = LiveOutput(hidden, beat=activity.heartbeat)
        result = await self._sandbox.run(spec, secrets=secrets, on_output=live.take)
        live.end()
        if request.source is not None and result.ended == "exit" and not checked_out(result):
            raise InvalidRequest(
                f"{request.source.repository!r} at {request.source.commit} could not be checked out in the sandbox: "
                f"{redact.tail(masked(result.stderr.text, hidden), 300)!r}"
            )
        return _told(result, hidden)

    def _spec(self, request: RunCommandRequest, *, run_id: str) -> RunSpec:
        source, argv = request.source, request.command
        inputs: tuple[InputArtifact, ...] = ()
        if source is not None:
            argv = ("sh", "-euc", _RUN, "sh", source.commit, *argv)
            inputs = (InputArtifact(reference=source.pack, path=PACK),)
        try:
            return RunSpec(
                run_id=run_id,
                image=self._image,
                argv=argv,
                inputs=inputs,
                artifacts=(MARK, *(f"{TREE}/{one}" for one in request.artifacts)) if source else request.artifacts,
                purpose=request.purpose,
                limits=self._limits_of(request),
            )
        except ValueError as error:
            raise InvalidRequest(f"this command cannot be run: {error}") from error

    def _limits_of(self, request: RunCommandRequest) -> Limits:
        """The lower of both: a sum that fits into either is one that fits into the lower."""
        own, asked = self._limits.model_dump(), request.limits.model_dump() if request.limits else {}
        lower = {name: min(own[name], value) for name, value in asked.items()}
        return Limits.model_validate(own | lower | {"wall_seconds": request.timeout_seconds})

    async def _open(self, request: RunCommandRequest, *, run: str) -> Mapping[str, SecretBytes]:
        if request.secrets is None:
            return {}
        found = await self._secrets.unseal(request.secrets, run=run)
        return {name: SecretBytes(value.get_secret_value().encode()) for name, value in found.items()}


def _told(result: RunResult, hidden: tuple[bytes, ...]) -> CommandRun:
    return CommandRun(
        exit_code=result.exit_code,
        ended=result.ended,
        oom_seen=result.oom_seen,
        stdout=masked(result.stdout.text, hidden),
        stderr=masked(result.stderr.text, hidden),
        truncated=result.stdout.truncated or result.stderr.truncated,
        connections=result.connections[:_MOST_TOLD],
        downloads=result.downloads[:_MOST_TOLD],
        seconds=result.usage.run_seconds,
        artifacts=tuple(
            ArtifactKept(path=one.path.removeprefix(f"{TREE}/"), size=one.size, reference=one.reference)
            for one in result.artifacts
            if one.path != MARK
        ),
        not_kept=tuple(
            f"{one.path.removeprefix(f'{TREE}/')}: {one.reason}"[:_MOST_TOLD] for one in result.refused[:_MOST_TOLD]
        ),
    )
