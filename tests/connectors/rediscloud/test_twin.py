"""Redis Cloud's twin against the provider's own description, where that is at hand."""

import pytest

from connectors.rediscloud.twin.app import create_twin
from tests.connectors.judged import fuzz
from tests.connectors.rediscloud.conftest import API_KEY, CONFIG, OWNER, VIEWER
from tests.connectors.rediscloud.published import REDIS_CLOUD
from tests.connectors.serving import ServedTwin

OWNS = {"x-api-key": API_KEY, "x-api-secret-key": OWNER}
VIEWS = {"x-api-key": API_KEY, "x-api-secret-key": VIEWER}


@pytest.mark.timeout(300)
@REDIS_CLOUD.required
def test_whatever_the_description_allows_is_answered_as_it_says() -> None:
    app = create_twin(CONFIG.model_copy(update={"provisioning_seconds": 1e6}))
    try:
        assert fuzz(app, REDIS_CLOUD, headers=OWNS, examples=10) >= 20
    finally:
        app.state.twin.stop()


def test_refusals_have_the_providers_form(twin: ServedTwin) -> None:
    assert twin.http.get("/subscriptions").json()["status"] == 401
    told = twin.http.get("/subscriptions/999/pricing", headers=VIEWS)
    assert (told.status_code, told.json()["message"]) == (404, "subscription was not found")
    assert twin.http.delete("/subscriptions/1206/databases/1", headers=VIEWS).status_code == 403
    assert twin.http.get("/regions", headers=VIEWS).status_code == 501


def test_tasks_are_processed_one_after_the_other(twin: ServedTwin) -> None:
    def asked(name: str) -> str:
        body = {"dryRun": False, "name": name, "datasetSizeInGb": 1.0, "dataEvictionPolicy": "noeviction"}
        told = twin.http.post("/subscriptions/1206/databases", json=body, headers=OWNS)
        assert told.status_code == 202
        return told.json()["taskId"]

    def status(task: str) -> str:
        return twin.http.get(f"/tasks/{task}", headers=VIEWS).json()["status"]

    first, second = asked("one"), asked("two")
    for after in (("processing-completed", "received"), ("processing-completed", "processing-completed")):
        twin.http.post("/_twin/clock", json={"advance": 5}).raise_for_status()
        assert (status(first), status(second)) == after


def test_no_more_than_three_databases_are_pending_at_once(twin: ServedTwin) -> None:
    body = {"dryRun": False, "datasetSizeInGb": 1.0, "dataEvictionPolicy": "noeviction"}
    statuses = []
    for number in range(4):
        told = twin.http.post("/subscriptions/1206/databases", json=body | {"name": f"d{number}"}, headers=OWNS)
        statuses.append(told.status_code)
        twin.http.post("/_twin/clock", json={"advance": 5}).raise_for_status()
    assert statuses == [202, 202, 202, 429]
