"""Upstash's twin against the provider's own description, where that is at hand."""

import pytest

from connectors.twins.problems import basic
from connectors.upstash.twin.app import create_twin
from tests.connectors.judged import fuzz
from tests.connectors.serving import ServedTwin
from tests.connectors.upstash.conftest import CONFIG, EMAIL, KEY_CANARY
from tests.connectors.upstash.published import UPSTASH

AUTH = (EMAIL, KEY_CANARY)


@pytest.mark.timeout(300)
@UPSTASH.required
def test_whatever_the_description_allows_is_answered_as_it_says() -> None:
    app = create_twin(CONFIG)
    try:
        assert fuzz(app, UPSTASH, headers={"Authorization": basic(*AUTH)}) >= 20
    finally:
        app.state.twin.stop()


@UPSTASH.required
def test_a_database_without_its_credentials_has_no_field_that_is_not_described(twin: ServedTwin) -> None:
    judge = UPSTASH.description
    assert judge is not None
    known = judge.document["components"]["schemas"]["Database"]["properties"]
    shown = twin.http.get("/redis/database/id-1", params={"credentials": "hide"}, auth=AUTH).json()
    assert shown.keys() <= known.keys()


def test_refusals_have_the_providers_form(twin: ServedTwin) -> None:
    assert twin.http.get("/redis/databases").json() == {"code": "401", "message": "Unauthorized"}
    assert twin.http.get("/redis/database/none", auth=AUTH).json() == {"code": "404", "message": "database not found"}
    assert twin.http.get("/redis/database/id-1", params={"credentials": "some"}, auth=AUTH).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("POST", "/redis/enable-tls/id-1"), ("GET", "/redis/stats/id-1")])
def test_what_the_twin_does_not_know_it_says(twin: ServedTwin, method: str, path: str) -> None:
    answer = twin.http.request(method, path, auth=AUTH)
    assert (answer.status_code, answer.json()["code"]) == (501, "501")
