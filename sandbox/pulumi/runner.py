"""Pulumi's operations, each in containers of its own that are gone when it returns."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from pydantic import SecretBytes

from sandbox.docker.hardening import LABEL_RUN
from sandbox.docker.provider import DockerSandbox
from sandbox.errors import SandboxUnavailable, SpecRefused
from sandbox.protocol import ArtifactStore, LastLook
from sandbox.pulumi import steps
from sandbox.pulumi.inside.order import EngineOrder, EngineReport, Identity, Passfile, Step
from sandbox.pulumi.outcome import (
    Ended,
    OnProgress,
    PreviewOutcome,
    ReadOutcome,
    RunOutcome,
    StepOutcome,
    UnlockOutcome,
)
from sandbox.pulumi.pair import AUTHORITY, Pair, Work, report_of
from sandbox.pulumi.request import (
    ACCESS_TOKEN,
    HOST_PREFIX,
    PASSPHRASE,
    STATE_PASSWORD,
    CloudState,
    DestroyRequest,
    ImportRequest,
    MakeRequest,
    PostgresState,
    PreviewRequest,
    Program,
    ReadRequest,
    RefreshRequest,
    StackRequest,
    UnlockRequest,
    UpRequest,
)
from sandbox.result import RunResult
from sandbox.spec import InputArtifact

Secrets = Mapping[str, SecretBytes]
_Outcome = TypeVar("_Outcome", bound=RunOutcome)
NO_STATE: Final = "0" * 64
"""What the file `identity` says of a stack that has nothing."""
_REPORT: Final = "report.json"
_log = logging.getLogger(__name__)
_STATES: Final = (f"{steps.BEFORE}.state.json", f"{steps.AFTER}.state.json")


class PulumiSandbox:
    """Runs Pulumi on one engine.

    A program that fails, a lock of somebody else's, an unreachable state: all are outcomes. Cancelling a call stops
    Pulumi as a person would, waits until it has given its lock back, and then takes the containers away.

    What changes a stack takes a last look, awaited right before the container is given its order; what that raises is
    raised, and nothing was done.

    Every call raises `SandboxUnavailable` when the containers fail before Pulumi began, `ImageMissing`, and
    `SpecRefused` when the purpose, an artifact or a secret is not there.

    Args:
        sandbox: Makes the containers.
        store: Where plans, states and event logs go and come from.
        identity: A file on the standard library alone, whose function `state_identity` takes what `pulumi stack
            export` printed and answers in hexadecimal which state that is. It runs beside the CLI.
    """

    def __init__(self, sandbox: DockerSandbox, store: ArtifactStore, identity: Path) -> None:
        self._sandbox, self._store, self._identity = sandbox, store, identity

    async def preview(
        self, request: PreviewRequest, secrets: Secrets, *, on_progress: OnProgress | None = None
    ) -> PreviewOutcome:
        """Plan what the program wants, and keep the plan; nothing is changed, beyond an empty stack that is made."""
        run = _Run(request, steps.preview(request), program=request.program, artifacts=(steps.PLAN,))
        return await self._outcome(PreviewOutcome, run, secrets, on_progress)

    async def up(
        self, request: UpRequest, secrets: Secrets, *, last_look: LastLook, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """Apply a plan to the state that it was made from, or nothing."""
        expected = [_expected("up", request.identity, request.update_version)]
        if request.check_drift:
            expected.append(_expected("drift", request.identity))
        plan = InputArtifact(reference=request.plan, path=steps.PLAN)
        run = _Run(
            request,
            steps.up(request),
            program=request.program,
            inputs=(plan,),
            expected=expected,
            last_look=last_look,
        )
        return await self._outcome(RunOutcome, run, secrets, on_progress)

    async def refresh(
        self, request: RefreshRequest, secrets: Secrets, *, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """Compare the state with what is there; the event log has the whole difference."""
        expected = _looked_at("refresh", request)
        return await self._outcome(
            RunOutcome, _Run(request, steps.refresh(request), expected=expected), secrets, on_progress
        )

    async def preview_destroy(
        self, request: DestroyRequest, secrets: Secrets, *, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """List what the stack holds and would be deleted; nothing is, whatever the request says."""
        return await self._destroy(request.model_copy(update={"preview_only": True}), secrets, None, on_progress)

    async def destroy(
        self, request: DestroyRequest, secrets: Secrets, *, last_look: LastLook, on_progress: OnProgress | None = None
    ) -> RunOutcome:
        """Delete what the stack holds, if its state is the one that was looked at."""
        return await self._destroy(request, secrets, last_look, on_progress)

    async def _destroy(
        self, request: DestroyRequest, secrets: Secrets, last_look: LastLook | None, on_progress: OnProgress | None
    ) -> RunOutcome:
        expected = _looked_at("destroy", request)
        run = _Run(request, steps.destroy(request), expected=expected, last_look=last_look)
        return await self._outcome(RunOutcome, run, secrets, on_progress)

    async def history(self, request: ReadRequest, secrets: Secrets) -> ReadOutcome:
        """Every deployment of the stack, the newest first."""
        return await self._read(request, steps.history(request), secrets)

    async def export_state(self, request: ReadRequest, secrets: Secrets) -> ReadOutcome:
        """The whole state, its secrets encrypted: a backup."""
        outcome = await self._read(request, steps.export(request), secrets)
        return outcome.model_copy(update={"content": outcome.state_before})

    async def import_state(self, request: ImportRequest, secrets: Secrets, *, last_look: LastLook) -> RunOutcome:
        """Put an exported state in the place of what is there, if that is what was looked at."""
        state = InputArtifact(reference=request.exported, path=steps.IMPORTED)
        expected = [_expected("import", request.identity)]
        run = _Run(request, steps.import_(request), inputs=(state,), expected=expected, last_look=last_look)
        return await self._outcome(RunOutcome, run, secrets)

    async def make(self, request: MakeRequest, secrets: Secrets) -> RunOutcome:
        """Make a stack that is not there with a state of elsewhere; one that has something is left as it is."""
        state = InputArtifact(reference=request.exported, path=steps.IMPORTED)
        expected = [_expected(steps.SEED, NO_STATE)]
        return await self._outcome(
            RunOutcome, _Run(request, steps.make(request), inputs=(state,), expected=expected), secrets
        )

    async def unlock(self, request: UnlockRequest, secrets: Secrets, *, last_look: LastLook) -> UnlockOutcome:
        """Take away the lock of a run that is gone. One that lives here, or a lock of another's, keeps it.

        Raises:
            SpecRefused: The owner lives.
        """
        if await self.lives(request.owner):
            raise SpecRefused(f"the run {request.owner!r} still lives: stop it, and its lock goes with it")
        owner = f"{HOST_PREFIX}{request.owner}"
        run = _Run(request, steps.unlock(request), owner=owner, last_look=last_look)
        outcome = await self._outcome(UnlockOutcome, run, secrets)
        return outcome.model_copy(update={"released": outcome.ended == "done"})

    async def lives(self, run_id: str) -> bool:
        """Whether this engine still has the container in which that run's Pulumi is."""
        api = self._sandbox.containers.engine.api
        label = {"label": f"{LABEL_RUN}={run_id}-engine"}
        return bool(await self._sandbox.containers.engine.call(api.containers, all=True, filters=label))

    async def locks(self, request: ReadRequest, secrets: Secrets) -> UnlockOutcome:
        """Who holds locks of the stack in PostgreSQL; all of them stay. Pulumi Cloud does not tell."""
        looks = isinstance(request.state, PostgresState)
        return await self._outcome(UnlockOutcome, _Run(request, steps.export(request), looks=looks), secrets)

    async def _read(self, request: StackRequest, made_of: Sequence[Step], secrets: Secrets) -> ReadOutcome:
        run = _Run(request, made_of, artifacts=(steps.CONTENT,))
        return await self._outcome(ReadOutcome, run, secrets)

    async def _outcome(
        self, kind: type[_Outcome], run: "_Run", secrets: Secrets, on_progress: OnProgress | None = None
    ) -> _Outcome:
        called = time.monotonic()
        run.check(secrets)
        pair = Pair(self._sandbox, run.work(self._identity.read_bytes()), on_progress)
        try:
            result = await pair.run(secrets)
        except SandboxUnavailable as error:
            if pair.engine is None:
                raise
            _log.warning("a run of Pulumi was lost: %s", error, extra={"run": run.id})
            return kind(ended="lost", seconds=time.monotonic() - called)
        kept = {artifact.path: artifact.reference for artifact in result.artifacts}
        report = report_of(await self._store.get(kept[_REPORT])) if _REPORT in kept else None
        seconds = time.monotonic() - called
        if report is None:
            return kind(ended="lost", seconds=seconds, usage=result.usage)
        took = {"seconds": seconds, "allowed_seconds": run.allowed_seconds}
        return kind.model_validate({**_said(report, result, kept), **_kept(kind, report, kept), **took})


class _Run:
    """One operation, as it is put to the containers."""

    def __init__(  # noqa: PLR0913 - what an operation is
        self,
        request: StackRequest,
        made_of: Sequence[Step],
        *,
        program: Program | None = None,
        inputs: Sequence[InputArtifact] = (),
        artifacts: Sequence[str] = (),
        expected: Sequence[Identity] = (),
        owner: str = "",
        looks: bool = False,
        last_look: LastLook | None = None,
    ) -> None:
        self._request, self._steps, self._program = request, made_of, program
        self._inputs, self._artifacts, self._expected = inputs, artifacts, expected
        self._last_look = last_look
        # Without an owner the locks are only looked at.
        self._unlock = {"stack": request.full_name, "owner": owner} if owner or looks else {}

    @property
    def id(self) -> str:
        """Names it."""
        return self._request.run_id

    @property
    def allowed_seconds(self) -> float:
        """How long it may take."""
        return self._request.allowed_seconds

    def check(self, secrets: Secrets) -> None:
        """Every secret that the order needs is there."""
        request = self._request
        needed = {one.secret for one in request.engine.passwords}
        needed |= {PASSPHRASE, STATE_PASSWORD} if isinstance(request.state, PostgresState) else {ACCESS_TOKEN}
        if missing := sorted(needed - set(secrets)):
            raise SpecRefused(f"the secret {missing[0]!r} is missing: hand it over with the run")

    def work(self, identity: bytes) -> Work:
        """For the two containers."""
        events = [f"{step['name']}.events.ndjson" for step in self._steps if step["events"]]
        return Work(
            request=self._request,
            order=self._order(),
            inputs=self._inputs,
            artifacts=(_REPORT, *_STATES, *events, *self._artifacts),
            program=self._program,
            identity=identity,
            last_look=self._last_look,
        )

    def _order(self) -> EngineOrder:
        request = self._request
        return {
            "environment": {**request.engine.environment, **_trusted(request), "PULUMI_BACKEND_URL": _backend(request)},
            "steps": list(self._steps),
            "expected": list(self._expected),
            "passwords": _passwords(request),
            "packages": list(request.engine.packages),
            "stacks": list(request.engine.stacks),
            "main": request.project.main or "",
            "played": request.engine.played,
            "packs": [pack.folder for pack in self._program.policies] if self._program is not None else [],
            "settings": f"Pulumi.{request.stack}.yaml",
            "wall_seconds": request.allowed_seconds,
            "stop_seconds": request.engine.stop_seconds,
            "unlock": self._unlock,
        }


def _backend(request: StackRequest) -> str:
    """Without the password: a locked stack's error shows this address."""
    state = request.state
    if isinstance(state, PostgresState):
        where = f"{{{state.relay}.host}}:{{{state.relay}.port}}"
        return f"postgres://{state.role}@{where}/{state.database}?sslmode={state.tls}"
    return state.url


def _passwords(request: StackRequest) -> list[Passfile]:
    state = request.state
    found: list[tuple[str, str, str, str]] = []
    if isinstance(state, PostgresState):
        found.append((state.relay, state.database, state.role, STATE_PASSWORD))
    found += [(one.relay, one.database, one.role, one.secret) for one in request.engine.passwords]
    return [
        {
            "host": f"{{{relay}.host}}",
            "port": f"{{{relay}.port}}",
            "database": database,
            "role": role,
            "secret": secret,
        }
        for relay, database, role, secret in found
    ]


def _trusted(request: StackRequest) -> Mapping[str, str]:
    """For all Go programs beside the public authorities, which are read from a folder."""
    state = request.state
    return {"SSL_CERT_FILE": AUTHORITY} if isinstance(state, CloudState) and state.authority else {}


def _looked_at(before: str, request: RefreshRequest | DestroyRequest) -> Sequence[Identity]:
    return [_expected(before, request.identity, request.update_version)] if request.identity is not None else []


def _expected(before: str, identity: str, version: int | None = None) -> Identity:
    return {"before": before, "file": steps.BEFORE, "identity": identity, "version": version}


def _ended(report: EngineReport) -> Ended:
    if report["stopped"]:
        return "timeout" if report["stopped"] == "time" else "stopped"
    if report["changed"]:
        return "changed"
    return "failed" if any(step["exit_code"] for step in report["steps"]) else "done"


def _said(report: EngineReport, result: RunResult, kept: Mapping[str, str]) -> Mapping[str, object]:
    before, after = (report["identities"].get(name) for name in (steps.BEFORE, steps.AFTER))
    return {
        "ended": _ended(report),
        "changed": tuple(report["changed"]),
        "steps": tuple(
            StepOutcome.model_validate({**step, "events": kept.get(f"{step['name']}.events.ndjson")})
            for step in report["steps"]
        ),
        "identity_before": before,
        "identity_after": after,
        "update_version": report["version"],
        "state_before": kept.get(_STATES[0]),
        "state_after": kept.get(_STATES[1]),
        "refused": tuple(report["refused"]),
        "program_output": report["output"],
        "program_runs": report["ran"],
        "program_unended": report["unended"],
        "plugins": report["plugins"],
        "salt": report["salt"] or None,
        "usage": result.usage,
    }


def _kept(kind: type[RunOutcome], report: EngineReport, kept: Mapping[str, str]) -> Mapping[str, object]:
    """What only some outcomes have."""
    if kind is PreviewOutcome:
        return {"plan": kept.get(steps.PLAN)}
    if kind is ReadOutcome:
        return {"content": kept.get(steps.CONTENT)}
    if kind is UnlockOutcome:
        return {"owners": tuple(report["locks"])}
    return {}
