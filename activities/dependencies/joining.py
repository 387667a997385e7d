"""The step that joins what was read of many repositories. It holds no credential and asks nobody."""

import asyncio

from pydantic import ValidationError

from activities.dependencies.contracts import FIND_USERS, MOST_TOLD, FindUsersRequest, UsersFound
from activities.dependencies.joined import Joined, WholeMap
from activities.dependencies.read import RepositoryManifests
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest


class JoiningActivities:
    """The step.

    Args:
        artifacts: Where what was read lies, and where the map will.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    @implements(FIND_USERS)
    async def find_users(self, request: FindUsersRequest) -> UsersFound:
        """Join them, keep the map, and tell who uses the package.

        Raises:
            InvalidRequest: Something else lies where manifests should.
            ConnectorError: The store cannot be read or written.
        """
        joined = Joined()
        for one in request.read:
            content = await self._artifacts.get(one.artifact)
            await asyncio.to_thread(_add, joined, content, one.repository)
        whole, counts, made_by = await asyncio.to_thread(joined.whole, request.package, request.ecosystem)
        return UsersFound(
            artifact=await self._artifacts.put(await asyncio.to_thread(_bytes, whole)),
            counts=counts,
            circles=whole.circles[:MOST_TOLD],
            mistakes=whole.mistakes[:MOST_TOLD],
            made_by=made_by[:MOST_TOLD],
            users=whole.users[:MOST_TOLD],
            order=whole.order[:MOST_TOLD],
            used_by=len({one.repository for one in whole.users}),
        )


def _bytes(whole: WholeMap) -> bytes:
    return whole.model_dump_json().encode()


def _add(joined: Joined, content: bytes, repository: str) -> None:
    try:
        found = RepositoryManifests.model_validate_json(content)
    except ValidationError:  # which would quote what it refused
        raise InvalidRequest(f"what lies there are no manifests of {repository!r}: read them again") from None
    if found.repository != repository:
        raise InvalidRequest(f"what lies there are the manifests of another repository than {repository!r}")
    joined.add(found)
