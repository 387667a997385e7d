"""Which Pulumi stacks a goal works on, and their states for its rehearsal: read by a goal, secrets left out."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar, cast

from rich.markup import escape
from temporalio.client import Client

from connectors.artifacts import ArtifactStore
from connectors.copies import DESCRIBED
from connectors.github.copy import CopiedRepository
from connectors.pulumi.copying import without_secrets
from deploy.local.rehearsal.order import COPIED, CopiedStack
from workers.commands.exits import Exit, err, fail, shown
from workers.commands.follow import start
from workers.settings import Settings
from workflows.contracts import GoalInput, GoalResult
from workflows.deploy_feature.goals import DeployNewFeatureInput
from workflows.goal_type import GoalType
from workflows.manifest.manifest import FILE_NAME, Manifest
from workflows.manifest.reading import ManifestError, read_manifest
from workflows.pulumi.goals import INSPECT_STACK, InspectStackInput, InspectStackResult, OfAStack
from workflows.repository.goals import READ_FILE, ReadFileInput, ReadFileResult

_Result = TypeVar("_Result", bound=GoalResult)
PULUMI: Final = "pulumi"
_PLAYED: Final = "updates are played, by what the providers say of them beforehand, and no service is looked at"


class StackCopies:
    """Of one rehearsal.

    Args:
        client: Of the running environment.
        settings: Of this command.
        folder: The rehearsal's, with the repository copied.
        store: Where the running environment keeps artifacts.
    """

    def __init__(self, client: Client, settings: Settings, folder: Path, store: ArtifactStore) -> None:
        self._client, self._settings, self._folder, self._store = client, settings, folder, store
        self._read, self._found = False, cast("Manifest | None", None)

    async def needed(self, request: GoalInput) -> Sequence[tuple[str, str]]:
        """What the service of a feature needs of other providers: which part of which; nothing for other goals."""
        manifest = await self._manifest(request) if isinstance(request, DeployNewFeatureInput) else None
        return tuple(dict.fromkeys(manifest.needs.reached())) if manifest is not None else ()

    async def copy(self, request: GoalInput) -> tuple[str, ...]:
        """Copy the stacks that the goal works on; a line for each.

        Raises:
            ConnectorError: By the store.
        """
        stacks = await self._stacks(request)
        return tuple([await self._copy(one) for one in stacks])

    async def _stacks(self, request: GoalInput) -> tuple[InspectStackInput, ...]:
        if isinstance(request, OfAStack):
            place = {name: getattr(request, name) for name in ("repository", "folder", "stack", "ref")}
            return (InspectStackInput.model_validate(place),)
        return await self._stacks_of_service(request) if isinstance(request, DeployNewFeatureInput) else ()

    async def _stacks_of_service(self, request: DeployNewFeatureInput) -> tuple[InspectStackInput, ...]:
        ref, manifest = self._branch(request), await self._manifest(request)
        if manifest is None or manifest.pulumi is None:
            return ()
        pulumi = manifest.pulumi
        names = [one for one in request.environments or pulumi.stacks if one in pulumi.stacks]
        where = {"repository": request.repository, "folder": pulumi.directory, "ref": ref}
        return tuple(InspectStackInput.model_validate({**where, "stack": pulumi.stacks[one]}) for one in names)

    async def _manifest(self, request: DeployNewFeatureInput) -> Manifest | None:
        """That of the feature, read once; one that cannot be used is the rehearsal's to tell."""
        if not self._read and (ref := self._branch(request)) is not None:
            asked = ReadFileInput(repository=request.repository, path=FILE_NAME, ref=ref)
            found = await self._ran(READ_FILE, asked, ReadFileResult)
            with contextlib.suppress(ManifestError):
                self._found = read_manifest((found.content or "").encode()).manifest
        self._read = True
        return self._found

    def _branch(self, request: DeployNewFeatureInput) -> str | None:
        if request.branch is not None:
            return request.branch
        described = self._folder / COPIED / "github" / request.repository / DESCRIBED
        copied = CopiedRepository.model_validate_json(described.read_bytes())
        return next((one.head for one in copied.pulls if one.number == request.pull_request), None)

    async def _copy(self, asked: InspectStackInput) -> str:
        found = await self._ran(INSPECT_STACK, asked, InspectStackResult)
        name = f"pulumi {found.project}/{asked.stack}"
        if found.project is None or not found.deployed or found.exported is None:
            return f"{name}: there is none yet; {_PLAYED}"
        state, secrets = without_secrets(await self._store.get(found.exported))
        CopiedStack(project=found.project, stack=asked.stack, state=state.decode()).write(self._folder)
        return f"{name}: state {str(found.state)[:12]}, {secrets} secrets left out; {_PLAYED}"

    async def _ran(self, goal: GoalType, asked: GoalInput, result: type[_Result]) -> _Result:
        # Of its own id each time: what stood there an hour ago is no copy of now.
        workflow_id = f"{asked.business_key()}/{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        started = await start(self._client, goal, asked, workflow_id=workflow_id, settings=self._settings)
        err.print(f"{escape(shown(asked.summary()))}\n  {started.link}", soft_wrap=True)
        found = result.model_validate(await started.handle.result())
        if found.outcome != "completed":
            fail(f"{asked.summary()!r} was refused, so nothing was rehearsed: {found.reason}", Exit.DENIED)
        return found
