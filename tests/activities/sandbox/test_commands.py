"""The step that runs a command, at its own level: what it asks of the sandbox, and what it tells of the end."""

import base64
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from pydantic import SecretBytes, SecretStr
from temporalio.testing import ActivityEnvironment

from activities.sandbox.commands import SandboxActivities
from activities.sandbox.contracts import CommandLimits, CommandRun, RunCommandRequest, Source
from connectors.errors import InvalidRequest
from sandbox.protocol import LastLook, OnOutput
from sandbox.result import Artifact, Output, RefusedArtifact, RunResult, Usage
from sandbox.spec import MIB, Limits, RunSpec

IMAGE = f"sha256:{'1' * 64}"
PACK = f"sha256:{'2' * 64}"
COMMIT = "c" * 40
CANARY = "canary-of-a-sealed-secret-77aa"
SOURCE = Source(repository="acme/shop", commit=COMMIT, pack=PACK)
CHECKED_OUT = (Artifact(path="checked-out", reference=f"sha256:{'3' * 64}", size=0, executable=False),)


@dataclass
class Played:
    """A sandbox that notes what it is asked and ends as told, and the one who opens sealed secrets."""

    stdout: str = "ok\n"
    stderr: str = ""
    artifacts: tuple[Artifact, ...] = CHECKED_OUT
    refused: tuple[RefusedArtifact, ...] = ()
    ended: str = "exit"
    specs: list[RunSpec] = field(default_factory=list[RunSpec])
    secrets: list[Mapping[str, SecretBytes]] = field(default_factory=list[Mapping[str, SecretBytes]])
    unsealed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def run(
        self,
        spec: RunSpec,
        *,
        secrets: Mapping[str, SecretBytes] | None = None,
        on_output: OnOutput | None = None,
        last_look: LastLook | None = None,
    ) -> RunResult:
        assert last_look is None
        self.specs.append(spec)
        self.secrets.append(secrets or {})
        if on_output is not None:
            on_output("stdout", self.stdout.encode())
        return RunResult.model_validate(
            {
                "exit_code": 0 if self.ended == "exit" else 137,
                "ended": self.ended,
                "oom_seen": False,
                "stdout": Output(head=self.stdout.encode()),
                "stderr": Output(head=self.stderr.encode()),
                "artifacts": self.artifacts,
                "refused": self.refused,
                "usage": Usage(start_seconds=0.1, run_seconds=0.5, total_seconds=0.7, cpu_seconds=0.2),
            }
        )

    async def self_test(self, image: str) -> None: ...

    async def close(self) -> None: ...

    async def unseal(self, sealed: str, *, run: str) -> Mapping[str, SecretStr]:
        self.unsealed.append((sealed, run))
        return {"token": SecretStr(CANARY)}

    async def told(self, request: RunCommandRequest) -> CommandRun:
        steps = SandboxActivities(self, image=IMAGE, limits=Limits(), secrets=self)
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, workflow_run_id="run-1", activity_id="3", attempt=2)
        return await environment.run(steps.run_command, request)


def asked(**more: object) -> RunCommandRequest:
    return RunCommandRequest.model_validate({"command": ("make", "test"), "timeout_seconds": 60, **more})


async def test_a_command_runs_in_the_image_of_the_deployment_for_as_long_as_it_was_given() -> None:
    sandbox = Played()
    told = await sandbox.told(asked())
    [spec] = sandbox.specs
    assert (spec.image, spec.argv, spec.inputs, spec.purpose) == (IMAGE, ("make", "test"), (), None)
    assert (spec.limits.wall_seconds, spec.run_id) == (60, "run-1-3-2")
    assert (told.exit_code, told.ended, told.stdout, told.seconds) == (0, "exit", "ok\n", 0.5)


async def test_a_commit_is_taken_out_of_its_pack_inside_and_by_nobody_before() -> None:
    sandbox = Played()
    await sandbox.told(asked(source=SOURCE))
    [spec] = sandbox.specs
    assert [(one.reference, one.path) for one in spec.inputs] == [(PACK, "repository.pack")]
    assert spec.argv[:2] == ("sh", "-euc")
    assert spec.argv[-3:] == (COMMIT, "make", "test")


async def test_what_is_kept_is_asked_for_in_the_work_tree_and_told_as_the_manifest_names_it() -> None:
    made = Artifact(path="tree/dist/app.js", reference=f"sha256:{'4' * 64}", size=7, executable=False)
    gone = RefusedArtifact(path="tree/report.xml", reason="missing")
    sandbox = Played(artifacts=(*CHECKED_OUT, made), refused=(gone,))
    told = await sandbox.told(asked(source=SOURCE, artifacts=("dist", "report.xml")))
    assert sandbox.specs[0].artifacts == ("checked-out", "tree/dist", "tree/report.xml")
    assert [(one.path, one.size, one.reference) for one in told.artifacts] == [("dist/app.js", 7, made.reference)]
    assert told.not_kept == ("report.xml: missing",)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b"])
async def test_nothing_outside_of_the_work_tree_is_kept(path: str) -> None:
    sandbox = Played()
    with pytest.raises(InvalidRequest, match="no leading slash"):
        await sandbox.told(asked(source=SOURCE, artifacts=(path,)))
    assert sandbox.specs == []


async def test_of_each_limit_the_lower_one_holds() -> None:
    sandbox = Played()
    wanted = CommandLimits(memory_bytes=4096 * MIB, workspace_bytes=16 * MIB, tmp_bytes=64 * MIB, cpus=0.5)
    await sandbox.told(asked(limits=wanted))
    [spec] = sandbox.specs
    own = Limits()
    assert (spec.limits.memory_bytes, spec.limits.workspace_bytes, spec.limits.cpus) == (
        own.memory_bytes,
        16 * MIB,
        0.5,
    )


async def test_a_commit_that_cannot_be_checked_out_is_no_end_of_the_command() -> None:
    sandbox = Played(artifacts=(), stderr="fatal: pack is corrupted", stdout="")
    with pytest.raises(InvalidRequest, match=r"'acme/shop' at c{40} could not be checked out .*pack is corrupted"):
        await sandbox.told(asked(source=SOURCE))


async def test_a_command_that_used_up_its_time_is_a_result_whatever_was_checked_out() -> None:
    told = await Played(artifacts=(), ended="timeout").told(asked(source=SOURCE))
    assert (told.ended, told.exit_code) == ("timeout", 137)


async def test_what_was_sealed_is_opened_once_for_this_run_and_masked_in_all_that_is_told() -> None:
    told = f"token {CANARY} and {base64.b64encode(CANARY.encode()).decode()[:4]}"
    sandbox = Played(stdout=told, stderr=CANARY)
    ran = await sandbox.told(asked(secrets="sealed"))
    assert sandbox.unsealed == [("sealed", "run-1")]
    assert [one["token"].get_secret_value() for one in sandbox.secrets] == [CANARY.encode()]
    assert CANARY not in ran.model_dump_json()


async def test_what_was_sealed_is_masked_in_a_refusal_too() -> None:
    sandbox = Played(artifacts=(), stderr=f"fatal: {CANARY}")
    with pytest.raises(InvalidRequest) as refused:
        await sandbox.told(asked(source=SOURCE, secrets="sealed"))
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"command": ()}, {"timeout_seconds": -1}, {"timeout_seconds": 1e9}, {"purpose": "../x"}]
)
async def test_a_command_that_cannot_be_is_refused_and_nothing_runs(wrong: dict[str, object]) -> None:
    sandbox = Played()
    with pytest.raises(InvalidRequest, match="this command cannot be run"):
        await sandbox.told(asked(**wrong))
    assert sandbox.specs == []
