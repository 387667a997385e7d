"""Qdrant's twin against the provider's own descriptions, where they are at hand."""

import pytest
from starlette.applications import Starlette

from tests.connectors.judged import fuzz
from tests.connectors.qdrant.conftest import READERS_CANARY, READING_CANARY, WRITERS_CANARY, WRITING_CANARY
from tests.connectors.qdrant.published import ACCOUNT, QDRANT
from tests.connectors.serving import ServedTwin

CLUSTERS = f"/api/cluster/v1/accounts/{ACCOUNT}/clusters"
MANAGER = {"Authorization": f"apikey {WRITING_CANARY}"}


@pytest.mark.timeout(300)
@QDRANT.required
def test_whatever_the_descriptions_allow_is_answered_as_they_say(app: Starlette) -> None:
    assert fuzz(app, QDRANT, headers={**MANAGER, "api-key": WRITERS_CANARY}, examples=3) >= 50


def test_refusals_have_the_form_of_who_refuses(twin: ServedTwin) -> None:
    assert twin.http.get(CLUSTERS).json() == {"code": 16, "message": "invalid management key", "details": []}
    assert twin.http.get("/collections").json()["status"]["error"].startswith("Must provide an API key")
    reader = {"api-key": READERS_CANARY}
    assert twin.http.get("/collections/none", headers=reader).status_code == 404
    assert twin.http.put("/collections/new", headers=reader, json={"vectors": {}}).status_code == 403


def test_another_account_is_nobodys(twin: ServedTwin) -> None:
    assert twin.http.get(CLUSTERS, headers={"Authorization": f"apikey {READING_CANARY}"}).is_success
    assert twin.http.get(CLUSTERS.replace("6f0c", "0000"), headers=MANAGER).json()["code"] == 7


@pytest.mark.parametrize(("method", "path"), [("PUT", f"{CLUSTERS}/1"), ("DELETE", "/collections/products-v1")])
def test_what_the_twin_does_not_know_it_says(twin: ServedTwin, method: str, path: str) -> None:
    answer = twin.http.request(method, path, headers={**MANAGER, "api-key": WRITERS_CANARY})
    assert answer.status_code == 501
