"""Takes a commit apart: the check-out, the files that are read, and the Python packages that the program needs."""

from collections.abc import Mapping

from temporalio import activity

from activities.pulumi.contracts import PreparedStack, PrepareStackRequest
from activities.pulumi.files import (
    LONGEST,
    MARK,
    NO_FOLDER,
    POLICIES,
    PROGRAM,
    PROJECT,
    REQUIREMENTS,
    StackFiles,
    check_out_spec,
    packages_of,
    settings_name,
)
from activities.pulumi.policies import packs_of
from activities.pulumi.ports import Workplace
from activities.pulumi.sessions import SETTING, StackSessions, run_name
from activities.sandbox.output import LiveOutput
from connectors.errors import InvalidRequest
from connectors.pulumi.copying import PLACEHOLDER
from observability.redaction import redact
from sandbox.pulumi.libraries import ARCHIVE, libraries_spec
from sandbox.pulumi.project import StackSettings, read_project, read_settings
from sandbox.result import Artifact, RunResult
from sandbox.spec import InputArtifact, RunSpec

_FOLDER = "program"
_TOLD = 400


class Preparing:
    """One commit on its way.

    Args:
        house: What the deployment gives.
        request: Which commit of which stack.
    """

    def __init__(self, house: StackSessions, request: PrepareStackRequest) -> None:
        self._house, self._request, self._source = house, request, request.source
        self._about = f"{request.place.folder!r} of {request.source.repository!r} at {request.source.commit[:12]}"

    async def prepare(self) -> PreparedStack:
        """Do it, and keep what it comes to.

        Raises:
            InvalidRequest: The commit, the project or its requirements cannot be used.
            SandboxError: By its tree; `SpecRefused` names what is refused in the project's files.
            ConnectorError: By the store.
        """
        libraries = self._house.platform.libraries
        place = await self._house.engine.place()
        found = await self._checked_out(place)
        stack = self._request.place.stack
        project = read_project(await self._read(found, PROJECT) or b"")
        settings = await self._read(found, settings_name(stack))
        packed = await self._read(found, POLICIES)
        files = StackFiles(
            repository=self._source.repository,
            folder=self._request.place.folder,
            commit=self._source.commit,
            stack=stack,
            project=project,
            settings=self._settings(settings, stack),
            archive=found[PROGRAM].reference,
            libraries=await self._libraries(place, found, purpose=libraries),
            policies=packs_of(packed) if packed is not None else (),
        )
        kept = await self._house.store.put(files.model_dump_json().encode())
        return PreparedStack(project=project.name, commit=files.commit, prepared=kept)

    def _settings(self, text: bytes | None, stack: str) -> StackSettings:
        settings = StackSettings() if text is None else read_settings(text, stack)
        return settings.without_secrets(PLACEHOLDER) if self._house.platform.played else settings

    async def _checked_out(self, place: Workplace) -> Mapping[str, Artifact]:
        where = self._request.place
        if where.repository != self._source.repository:
            raise InvalidRequest(f"the commit is of {self._source.repository!r}, and the stack of {where.repository!r}")
        try:
            spec = check_out_spec(
                run_name(activity.info().attempt, part="c"),
                place.image,
                self._source,
                folder=where.folder,
                stack=where.stack,
                limits=place.limits,
            )
        except ValueError as error:
            raise InvalidRequest(f"{self._about} cannot be checked out: {error}") from error
        result = await _ran(place, spec)
        found = {artifact.path: artifact for artifact in result.artifacts}
        if MARK not in found:
            raise InvalidRequest(f"{self._about} could not be checked out in the sandbox: {_end(result)}")
        if result.exit_code == NO_FOLDER:
            raise InvalidRequest(f"there is no folder {self._about}: name the folder of a Pulumi project")
        if result.exit_code != 0 or PROGRAM not in found:
            raise InvalidRequest(f"{self._about} cannot be taken apart: {_end(result)}")
        if PROJECT not in found:
            raise InvalidRequest(f"{self._about} has no {PROJECT!r}: name the folder of a Pulumi project")
        return found

    async def _read(self, found: Mapping[str, Artifact], name: str) -> bytes | None:
        artifact = found.get(name)
        if artifact is None:
            return None
        if artifact.size > LONGEST:
            raise InvalidRequest(f"{name!r} in {self._about} is longer than {LONGEST} bytes: make it shorter")
        return await self._house.store.get(artifact.reference)

    async def _libraries(self, place: Workplace, found: Mapping[str, Artifact], *, purpose: str | None) -> str | None:
        try:
            packages = packages_of(await self._read(found, REQUIREMENTS) or b"")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{REQUIREMENTS!r} in {self._about} is no UTF-8: repair it") from error
        if not packages:
            return None
        if purpose is None:
            raise InvalidRequest(
                f"{self._about} needs the package {packages[0][:80]!r}, and none may be fetched here: set 'libraries' "
                f"in the file that {SETTING} names"
            )
        archive = InputArtifact(reference=found[PROGRAM].reference, path=PROGRAM, unpack_into=_FOLDER)
        run_id = run_name(activity.info().attempt, part="f")
        spec = libraries_spec(run_id, place.image, f"{_FOLDER}/{REQUIREMENTS}", purpose=purpose, inputs=(archive,))
        result = await _ran(place, spec)
        kept = next((one.reference for one in result.artifacts if one.path == ARCHIVE), None)
        if result.exit_code != 0 or kept is None:
            raise InvalidRequest(f"the packages of {self._about} could not be fetched: {_end(result)}")
        return kept


async def _ran(place: Workplace, spec: RunSpec) -> RunResult:
    live = LiveOutput((), beat=activity.heartbeat)
    result = await place.sandbox.run(spec, on_output=live.take)
    live.end()
    return result


def _end(result: RunResult) -> str:
    """What it came to, and the end of what it said."""
    said = redact.tail(result.stderr.text.strip() or result.stdout.text.strip(), _TOLD)
    return f"{result.ended} with {result.exit_code}, {said!r}"
