"""The step that finds where the App is installed: with what each covers, of those that are not known."""

import pytest

from activities.github import installations as module
from activities.github.installations_contracts import (
    FIND_INSTALLATIONS,
    FindInstallationsRequest,
    InstallationsFound,
)
from tests.activities.github.at_work import House, at_work


async def found(house: House, *known: int) -> InstallationsFound:
    request = FindInstallationsRequest(known=known)
    return await at_work(FIND_INSTALLATIONS.name).run(house.installations.find_installations, request)


async def test_each_is_told_once_with_what_it_covers_and_no_token_is_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = {one.login: one for one in (await found(house)).installations}
    acme = every["acme"]
    assert "acme/shop" in [one.full_name for one in acme.repositories]
    assert (acme.permissions["contents"], acme.suspended_at, acme.more) == ("write", None, False)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    first = await found(house)
    assert (len(first.installations), first.left) == (1, len(every) - 1)
    rest = await found(house, *(one.number for one in every.values()))
    assert rest == InstallationsFound()
    assert house.twin.live_tokens == 0
    assert set(house.actions) == {"github-read"}
