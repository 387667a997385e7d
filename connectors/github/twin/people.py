"""Who may do what on the twin's repositories. Like GitHub it tells by the login of the path, whatever its case."""

from collections.abc import Mapping
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.twin.bodies import Json
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import Problem
from connectors.github.twin.pulls import person
from connectors.github.twin.writes import Permit

Role = Literal["admin", "maintain", "write", "triage", "read"]

_COUNTS_AS: Final[Mapping[str, str]] = {"maintain": "write", "triage": "read"}
_RANK: Final = ("read", "triage", "write", "maintain", "admin")


class People:
    """The paths about collaborators.

    Args:
        permit: Who may do what.
        collaborators: By `OWNER/NAME`: the role of each login. Who is named for any repository has an account.
    """

    def __init__(self, permit: Permit, collaborators: Mapping[str, Mapping[str, Role]]) -> None:
        self._permit = permit
        self._roles = {
            repository.lower(): {login.lower(): role for login, role in people.items()}
            for repository, people in collaborators.items()
        }
        self._logins = {login.lower(): login for people in collaborators.values() for login in people}

    def routes(self) -> list[Route]:
        """The paths."""
        return [Route("/repos/{owner}/{name}/collaborators/{login}/permission", self.permission)]

    async def permission(self, request: Request) -> Response:
        """What somebody may do."""
        place, wanted = self._permit(request, "metadata"), str(request.path_params["login"]).lower()
        if (login := self._logins.get(wanted)) is None:
            raise Problem(404, f"{request.path_params['login']} is not a user")
        role = self._roles.get(f"{place.page.owner}/{place.page.name}".lower(), {}).get(wanted, "none")
        told = {"permission": _COUNTS_AS.get(role, role), "role_name": role, "user": _collaborator(place, login, role)}
        return JSONResponse(told)


def _collaborator(place: Place, login: str, role: str) -> Json:
    rank = _RANK.index(role) if role in _RANK else -1
    names = dict(zip(_RANK, ("pull", "triage", "push", "maintain", "admin"), strict=True))
    may = {name: rank >= _RANK.index(at) for at, name in names.items()}
    return person(place, login) | {"role_name": role, "permissions": may, "name": None, "email": None}
