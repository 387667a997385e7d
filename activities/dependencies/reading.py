"""The step that reads a repository's manifests. Its token is given back before anything of a stranger's is parsed."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from activities.dependencies.contracts import READ_MANIFESTS, ManifestsRead, ReadManifestsRequest
from activities.dependencies.found import FileFound, Mistake
from activities.dependencies.manifests.kinds import MOST_FILES, REQUIREMENTS, Kind, choose, read_file
from activities.dependencies.read import RepositoryManifests, how_fixed, put_together
from activities.github.session import reading_session
from activities.secrets import StepTokens
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest, NotFound
from connectors.github.client import GitHubApp
from connectors.github.models import FileList
from hitl.hidden import visible

_DEEPEST: Final = 5
"""How often files are read that files take in that were read before."""


class ManifestActivities:
    """The step.

    Args:
        github: GitHub, as the App sees it.
        vault: Makes the token that reads the App's key.
        artifacts: Where what was read lies.
    """

    def __init__(self, github: GitHubApp, vault: StepTokens, *, artifacts: ArtifactStore) -> None:
        self._github, self._vault, self._artifacts = github, vault, artifacts

    @implements(READ_MANIFESTS)
    async def read_manifests(self, request: ReadManifestsRequest) -> ManifestsRead:
        """Read them at one commit. What is wrong with a file is told, and ends nothing.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        repository = request.repository
        async with reading_session(self._github, self._vault, repository, "contents") as session:
            listed = await session.files(ref=request.ref)
        files, mistakes = await self._all_of(repository, listed)
        found = await asyncio.to_thread(put_together, repository, listed.commit, files, mistakes)
        return await self._told(found, len(files))

    async def _all_of(self, repository: str, listed: FileList) -> tuple[dict[str, FileFound], list[Mistake]]:
        """The files that are chosen, and those that they take in."""
        chosen = choose(listed.files)
        mistakes = list(chosen.mistakes)
        if not listed.whole:
            mistakes.append(Mistake(path="", what="GitHub lists no more of its files: there may be other manifests"))
        files: dict[str, FileFound] = {}
        wanted = dict(chosen.files)
        for _ in range(_DEEPEST):
            files |= await self._read(repository, listed.commit, wanted)
            wanted = _taken_in(files, listed.files)
            if not wanted:
                break
        mistakes += [
            Mistake(path=visible(path)[:300], what=f"takes in '{visible(one)[:100]}', which is not there or not read")
            for path, found in files.items()
            for one in found.includes
            if one not in files
        ]
        return files, mistakes

    async def _read(self, repository: str, commit: str, wanted: Mapping[str, Kind]) -> dict[str, FileFound]:
        contents: dict[str, bytes] = {}
        files: dict[str, FileFound] = {}
        async with reading_session(self._github, self._vault, repository, "contents") as session:
            for path in wanted:
                try:
                    contents[path] = (await session.read_at(path, commit=commit)).content
                except (InvalidRequest, NotFound) as error:  # a link to elsewhere, or a name that GitHub does not give
                    files[path] = FileFound(mistakes=(Mistake(path=visible(path)[:300], what=visible(str(error))),))
        for path, content in contents.items():
            # A link inside the repository has another size than what it leads to.
            if len(content) > wanted[path].most:
                what = f"leads to {len(content)} bytes, and at most {wanted[path].most} are read"
                files[path] = FileFound(mistakes=(Mistake(path=visible(path)[:300], what=what),))
            else:
                files[path] = await asyncio.to_thread(read_file, path, wanted[path], content)
        return files

    async def _told(self, found: RepositoryManifests, files: int) -> ManifestsRead:
        fixed = await asyncio.to_thread(how_fixed, found, datetime.now(UTC))
        content = await asyncio.to_thread(found.model_dump_json)
        return ManifestsRead(
            commit=found.commit,
            artifact=await self._artifacts.put(content.encode()),
            files=files,
            direct=fixed.direct,
            pinned=fixed.pinned,
            locked=fixed.locked,
            median_age_days=fixed.median_age,
            aged=len(fixed.ages),
            mistakes=len(found.mistakes),
        )


def _taken_in(files: Mapping[str, FileFound], sizes: Mapping[str, int]) -> dict[str, Kind]:
    """Files of requirements that others take in, that are there, and that were not read yet."""
    named = {one for found in files.values() for one in found.includes}
    new = sorted(
        one for one in named if one not in files and sizes.get(one, REQUIREMENTS.most + 1) <= REQUIREMENTS.most
    )
    return dict.fromkeys(new[: max(0, MOST_FILES - len(files))], REQUIREMENTS)
