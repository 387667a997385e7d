"""Lambda's twin against the provider's own description, where that is at hand; and what no description says."""

from typing import Any

import pytest
from starlette.applications import Starlette

from connectors.lambdalabs.client import NO_CAPACITY
from connectors.lambdalabs.twin.app import create_twin
from tests.connectors.judged import fuzz
from tests.connectors.lambdalabs.conftest import CONFIG, KEY_CANARY, advance
from tests.connectors.lambdalabs.published import LAMBDA
from tests.connectors.serving import ServedTwin, served_twin

AUTH = {"Authorization": f"Bearer {KEY_CANARY}"}


@pytest.mark.timeout(300)
@LAMBDA.required
def test_whatever_the_description_allows_is_answered_as_it_says(app: Starlette) -> None:
    assert fuzz(app, LAMBDA, headers=AUTH, examples=6) >= 40


def launch(twin: ServedTwin, **changes: object) -> Any:
    twin.http.post("/ssh-keys", headers=AUTH, json={"name": "k", "public_key": "ssh-ed25519 AAAA"}).raise_for_status()
    body = {"region_name": "us-west-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["k"]}
    return twin.http.post("/instance-operations/launch", headers=AUTH, json=body | changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"instance_type_name": "gpu_1x_gh200"}, NO_CAPACITY),
        ({"instance_type_name": "gpu_9x"}, "global/invalid-parameters"),
        ({"ssh_key_names": ["other"]}, "global/object-does-not-exist"),
        ({"ssh_key_names": ["k", "k"]}, "global/invalid-parameters"),
    ],
)
def test_what_is_refused_is_refused_with_its_code(twin: ServedTwin, changes: dict[str, object], code: str) -> None:
    told = launch(twin, **changes)
    assert (told.status_code, told.json()["error"]["code"]) == (400, code)


def test_no_more_is_launched_than_the_quota() -> None:
    with served_twin(create_twin(CONFIG.model_copy(update={"most_instances": 1}))) as twin:
        assert launch(twin).status_code == 200
        assert launch(twin).json()["error"]["code"] == "global/quota-exceeded"


def test_a_key_that_was_revoked_opens_nothing(twin: ServedTwin, known: Any) -> None:
    assert twin.http.get("/instances", headers=AUTH).status_code == 200
    known.keys.discard(KEY_CANARY)
    told = twin.http.get("/instances", headers=AUTH)
    assert (told.status_code, told.json()["error"]["code"]) == (401, "global/invalid-api-key")


def test_capacity_goes_with_a_launch_comes_back_with_its_end_and_arrives(twin: ServedTwin, known: Any) -> None:
    def regions(name: str) -> list[str]:
        offer = twin.http.get("/instance-types", headers=AUTH).json()["data"][name]
        return [one["name"] for one in offer["regions_with_capacity_available"]]

    [instance] = launch(twin, instance_type_name="gpu_8x_a100").json()["data"]["instance_ids"]
    assert regions("gpu_8x_a100") == []
    twin.http.post("/instance-operations/terminate", headers=AUTH, json={"instance_ids": [instance]})
    advance(twin, 5)
    assert regions("gpu_8x_a100") == ["us-west-1"]
    assert known.instances == {}
    assert regions("gpu_1x_gh200") == []
    advance(twin, 60)
    assert regions("gpu_1x_gh200") == ["us-east-1"]


def test_the_accounts_rates_are_held() -> None:
    limited = CONFIG.model_copy(update={"per_second": 1, "launch_every": 12})
    with served_twin(create_twin(limited)) as twin:
        assert twin.http.get("/instances", headers=AUTH).status_code == 200
        told = twin.http.get("/instances", headers=AUTH)
        assert (told.status_code, "retry-after" in told.headers) == (429, False)
        advance(twin, 1)
        statuses = [_ssh_key_and_launch(twin)]
        advance(twin, 1)
        statuses.append(_launch_again(twin))
        advance(twin, 12)
        statuses.append(_launch_again(twin))
        assert statuses == [200, 429, 200]


def _ssh_key_and_launch(twin: ServedTwin) -> int:
    twin.http.post("/ssh-keys", headers=AUTH, json={"name": "k", "public_key": "ssh-ed25519 AAAA"}).raise_for_status()
    advance(twin, 1)
    return _launch_again(twin)


def _launch_again(twin: ServedTwin) -> int:
    body = {"region_name": "us-west-1", "instance_type_name": "gpu_1x_a10", "ssh_key_names": ["k"]}
    return twin.http.post("/instance-operations/launch", headers=AUTH, json=body).status_code
