"""`ProvisionRedis` and `RemoveRedis` on a running environment: real servers behind the twins, real logins in Vault."""

import json
from typing import Any

import hvac
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import NoPermissionError

from deploy.local.seeded_person import SeededPerson
from tests.stack.running import Running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

ASKED: dict[str, dict[str, Any]] = {
    "upstash": {"provider": "upstash", "region": "eu-west-1", "most_usd": 10},
    "rediscloud": {"provider": "rediscloud", "subscription": "shop", "most_usd": 100},
}


def provision(stack: Running, goal_id: str, **asked: object) -> dict[str, Any]:
    text = json.dumps({"name": "sessions", "consumers": [{"name": "web", "prefix": "web:"}], **asked})
    done = stack.banksman("run", "ProvisionRedis", "--input", text, "--id", goal_id, "--wait", "--json", seconds=120)
    return json.loads(done.stdout)["result"]


def login(stack: Running, path: str) -> dict[str, str]:
    """What a consumer reads in Vault."""
    root = json.loads((stack.home / "vault/init.json").read_text())["root_token"]
    client = hvac.Client(url=stack.state["vault"]["address"], token=root)
    try:
        return client.secrets.kv.v2.read_secret_version(
            path=path, mount_point="banksman", raise_on_deleted_version=True
        )["data"]["data"]
    finally:
        client.adapter.close()


def connected(kept: dict[str, str]) -> Redis:
    """As the consumer connects."""
    return Redis(
        host=kept["host"],
        port=int(kept["port"]),
        username=kept["username"],
        password=kept["password"],
        decode_responses=True,
    )


@pytest.mark.parametrize("provider", ASKED)
def test_a_database_is_had_used_and_removed(stack: Running, goal_id: str, provider: str) -> None:
    told = provision(stack, goal_id, **ASKED[provider])
    assert told["outcome"] == "completed", told
    [consumer] = told["consumers"]
    kept = login(stack, consumer["secret"])
    with connected(kept) as client:
        assert client.set("web:1", "one")
        assert client.get("web:1") == "one"
        with pytest.raises(NoPermissionError):
            client.get("jobs:1")
    assert kept["password"] not in stack.history(goal_id)

    removal = f"{goal_id}-removal"
    asked = json.dumps({"provider": provider, "database": told["name"]})
    done = stack.banksman("run", "RemoveRedis", "--input", asked, "--id", removal, "--json")
    assert done.returncode == 0, done.stderr
    alice = SeededPerson(str(stack.state["twins"]["slack"]["url"]), "U0ALICE")
    alice.click(alice.wait_for(removal), "approve")
    removed = stack.result(removal, seconds=120)
    assert (removed["outcome"], removed["forgotten"]) == ("completed", [consumer["name"]])
    with connected(kept) as client, pytest.raises(NoConnection):
        client.ping()


def test_what_costs_more_than_the_policy_lets_people_approve(stack: Running, goal_id: str) -> None:
    asked = {"name": "dear", "consumers": [{"name": "web", "prefix": "web:"}], **ASKED["upstash"], "most_usd": 21}
    done = stack.banksman("run", "ProvisionRedis", "--input", json.dumps(asked), "--id", goal_id, "--json")
    assert done.returncode == 0, done.stderr
    alice = SeededPerson(str(stack.state["twins"]["slack"]["url"]), "U0ALICE")
    alice.click(alice.wait_for(goal_id), "approve")
    told = stack.result(goal_id, seconds=120)
    assert (told["outcome"], told["usd_cents"]) == ("completed", 2100)
