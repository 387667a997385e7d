"""Names of repositories and branches, as the App sees them: with a token for names alone, given back at the end."""

import json

import pytest

from connectors.errors import AuthDenied, NotFound, Unavailable
from connectors.github.api import Question
from connectors.github.installed import describe_installed, installed_repositories
from connectors.github.registration import as_app
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.recorded import Served


async def test_all_repositories_that_the_app_is_installed_on_and_no_token_is_left(twin: Served) -> None:
    found = await installed_repositories(twin.github(), twin.credentials, most=100)
    assert {"acme/shop", "acme/empty"} <= {*found}
    assert found == sorted(found)
    assert twin.live_tokens == 0
    minted = [one for one in twin.recorder.exchanges if one.method == "POST"]
    assert {one.request_body for one in minted} == {json.dumps({"permissions": {"metadata": "read"}}).encode()}


async def test_those_it_is_not_installed_on_are_not_told_and_no_more_than_are_wanted(make_twin: MakeTwin) -> None:
    narrow = make_twin(installed=["acme/shop"])
    assert await installed_repositories(narrow.github(), narrow.credentials, most=100) == ["acme/shop"]
    wide = make_twin()
    assert len(await installed_repositories(wide.github(), wide.credentials, most=1)) == 1


async def test_topics_are_told_and_what_is_archived(make_twin: MakeTwin) -> None:
    twin = make_twin(topics={"acme/shop": ["cart", "python"]}, archived=["acme/empty"])
    there = {one.full_name: one for one in await describe_installed(twin.github(), twin.credentials, most=100)}
    assert (there["acme/shop"].topics, there["acme/shop"].archived) == (("cart", "python"), False)
    assert (there["acme/empty"].topics, there["acme/empty"].archived) == ((), True)


async def test_pages_are_read_to_the_end(twin: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await installed_repositories(twin.github(), twin.credentials, most=100)
    monkeypatch.setattr("connectors.github.installed.PAGE", 1)
    monkeypatch.setattr("connectors.github.registration.PAGE", 1)
    assert len(whole) > 1
    assert await installed_repositories(twin.github(), twin.credentials, most=100) == whole


async def test_where_the_app_is_suspended_nothing_is_told_and_the_rest_is(make_twin: MakeTwin) -> None:
    twin = make_twin()
    async with as_app(twin.github(), twin.credentials) as app:
        there = {one.account.login: one for one in await app.installations()}
        await app.api.ask(
            Question(
                what="its end for a while",
                method="PUT",
                path=f"/app/installations/{there['globex'].id}/suspended",
                missing="",
                denied="",
            ),
            str,
        )
    found = await installed_repositories(twin.github(), twin.credentials, most=100)
    assert "acme/shop" in found
    assert "globex/shop" not in found
    with pytest.raises(AuthDenied, match="the App is suspended there"):
        async with twin.github().session(twin.credentials, repository="globex/shop", permissions={"contents": "read"}):
            pytest.fail("a session where the App is suspended")


async def test_an_outage_is_one_and_the_token_is_given_back(make_twin: MakeTwin) -> None:
    twin = make_twin()
    twin.plant(kind="status", path="/installation/repositories", status=503)
    with pytest.raises(Unavailable):
        await installed_repositories(twin.github(), twin.credentials, most=100)
    assert twin.live_tokens == 0


async def test_a_deleted_key_is_told_as_such(twin: Served, make_twin: MakeTwin) -> None:
    with pytest.raises(AuthDenied, match="refuses the App's private key"):
        await installed_repositories(
            twin.github(), twin.credentials.model_copy(update={"client_id": "Iv23liAnother"}), most=1
        )


async def test_branches_by_name(twin: Served) -> None:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"contents": "read"}
    ) as session:
        every = await session.branches(most=100)
        assert {"main", "feature/cart"} <= {*every}
        assert await session.branches(most=1) == every[:1]


async def test_branches_of_no_repository(twin: Served) -> None:
    with pytest.raises(NotFound):
        async with twin.github().session(
            twin.credentials, repository="acme/missing", permissions={"contents": "read"}
        ) as session:
            await session.branches(most=1)
