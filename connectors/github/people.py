"""What a person may do on one repository, as GitHub itself says it now."""

import re
from typing import Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from connectors.errors import InvalidRequest, NotFound
from connectors.github.of_repository import OfRepository

Permission = Literal["admin", "write", "read", "none"]
"""GitHub's four: `maintain` counts as `write` and `triage` as `read`; the role tells them apart."""

# What GitHub allows; an App's own account ends in `[bot]`.
_LOGIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98})(?:\[bot\])?")


class _User(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    login: str
    id: int


class PermissionFound(BaseModel):
    """What somebody may do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    permission: Permission
    role_name: str
    user: _User | None


class People(OfRepository):
    """Those who come to one repository, with the session's token."""

    async def permission(self, login: str) -> PermissionFound | None:
        """What somebody may do here; None where GitHub knows nobody of this name.

        Raises:
            InvalidRequest: No account can be called that.
            ConnectorError: By the tree.
        """
        if not _LOGIN.fullmatch(login):
            raise InvalidRequest(f"{login!r} is no name of an account on GitHub")
        path = f"collaborators/{quote(login, safe='')}/permission"
        try:
            return await self._ask(f"the permission of {login!r}", path, PermissionFound.model_validate_json)
        except NotFound:
            return None
