"""What GitHub lets each installation ask for: asked with tokens for names alone, which are given back."""

import json
from datetime import timedelta

import pytest

from connectors.errors import Unavailable
from connectors.github.rates import installation_rates
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.recorded import Served


async def test_each_installation_is_told_with_what_is_left_and_no_token_is(twin: Served) -> None:
    app = twin.github()
    app._pace("acme/shop").require("a comment")
    async with app.session(twin.credentials, repository="acme/shop", permissions={"contents": "read"}):
        app._allowances[twin.credentials.client_id, "acme"].close(timedelta(minutes=1))
    twin.recorder.exchanges.clear()
    found = {one.account: one for one in await installation_rates(app, twin.credentials, most=50)}
    acme, globex = found["acme"], found["globex"]
    assert acme.limit is not None
    assert acme.remaining is not None
    assert acme.resets_at is not None
    assert 0 < acme.remaining < acme.limit
    assert (acme.written_minute, acme.written_hour, acme.closed_for > 50) == (1, 1, True)
    assert (globex.written_minute, globex.closed_for) == (0, 0)
    minted = {one.request_body for one in twin.recorder.exchanges if one.method == "POST"}
    assert minted == {json.dumps({"permissions": {"metadata": "read"}}).encode()}
    assert twin.live_tokens == 0


async def test_no_more_are_asked_than_are_wanted_and_a_failure_leaves_no_token(make_twin: MakeTwin) -> None:
    twin = make_twin()
    assert len(await installation_rates(twin.github(), twin.credentials, most=1)) == 1
    twin.plant(kind="status", status=503, path="/rate_limit")
    with pytest.raises(Unavailable):
        await installation_rates(twin.github(), twin.credentials, most=50)
    assert twin.live_tokens == 0
