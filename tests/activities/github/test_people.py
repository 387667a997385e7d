"""The step that asks what a person may do, run as Temporal runs it, against the twin."""

from activities.github.people_contracts import FIND_PERMISSION, FindPermissionRequest, PermissionSeen
from tests.activities.github.at_work import REPOSITORY, House, at_work


async def asked(house: House, login: str) -> PermissionSeen:
    request = FindPermissionRequest(repository=REPOSITORY, login=login)
    return await at_work(FIND_PERMISSION.name).run(house.people.find_permission, request)


async def test_github_is_asked_with_a_token_that_sees_names_alone(house: House) -> None:
    dana = await asked(house, "dana")
    assert (dana.login, dana.permission, dana.role) == ("Dana", "write", "maintain")
    assert dana.id is not None
    assert house.permissions == [{"metadata": "read"}]
    assert house.twin.live_tokens == 0


async def test_who_is_no_collaborator_or_has_no_account_may_do_nothing(house: House) -> None:
    olga, nobody = await asked(house, "olga"), await asked(house, "nobody-there")
    assert (olga.permission, olga.id is None) == ("none", False)
    assert (nobody.permission, nobody.id, nobody.login) == ("none", None, "nobody-there")
