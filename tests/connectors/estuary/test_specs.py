"""What a specification would lose against the one that is live, and what in it lies open."""

from typing import Any

import pytest
from pydantic import JsonValue

from connectors.estuary.specs import common_prefix, losses, open_secrets, tenant, unchanged


def materialization(backfill: int | None, table: str = "orders") -> JsonValue:
    binding: dict[str, JsonValue] = {"source": "acme/orders", "resource": {"table": table}}
    return {"bindings": [binding if backfill is None else binding | {"backfill": backfill}]}


@pytest.mark.parametrize(
    ("kind", "new", "live", "count"),
    [
        ("materialization", materialization(2), materialization(1), 1),
        ("materialization", materialization(1), materialization(None), 1),
        ("materialization", materialization(1), materialization(1), 0),
        ("materialization", materialization(1), materialization(1, table="other"), 0),
        ("materialization", materialization(2), materialization(1, table="other"), 1),
        ("materialization", materialization(1), None, 0),
        ("capture", materialization(2), materialization(1), 0),
        ("collection", {"reset": True, "key": ["/id"]}, {"key": ["/id"]}, 1),
        ("collection", {"reset": True, "key": ["/id"]}, None, 0),
        ("collection", {"key": ["/id"]}, {"key": ["/id"]}, 0),
    ],
)
def test_what_is_lost(kind: str, new: JsonValue, live: JsonValue, count: int) -> None:
    assert len(losses(kind, new, live)) == count


def test_a_source_may_be_an_object() -> None:
    old: JsonValue = {"bindings": [{"source": {"name": "acme/orders"}, "resource": {"table": "t"}}]}
    new: JsonValue = {"bindings": [{"source": "acme/orders", "resource": {"table": "t"}, "backfill": 1}]}
    assert losses("materialization", new, old) == (
        "the table of acme/orders → t is dropped and filled anew: its `backfill` counts up",
    )


def test_of_two_tables_of_one_source_each_is_its_own() -> None:
    first: dict[str, JsonValue] = {"source": "acme/orders", "resource": {"table": "a"}, "backfill": 1}
    second: dict[str, JsonValue] = {"source": "acme/orders", "resource": {"table": "b"}, "backfill": 0}
    before: JsonValue = {"bindings": [first, second]}
    assert losses("materialization", before, before) == ()
    assert len(losses("materialization", {"bindings": [first, second | {"backfill": 1}]}, before)) == 1


def endpoint(**config: Any) -> JsonValue:
    return {"endpoint": {"connector": {"image": "ghcr.io/estuary/x:v1", "config": config}}}


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        (endpoint(host="db.example.com", user="flow"), ()),
        (endpoint(password="canary"), ("endpoint.connector.config.password",)),
        (endpoint(password=""), ()),
        (endpoint(password_sops="ENC[AES256_GCM,data:x]", sops={"mac": "ENC[x]", "kms_token": "y"}), ()),
        (
            endpoint(credentials={"auth_type": "basic", "client_secret": "canary"}),
            ("endpoint.connector.config.credentials.client_secret",),
        ),
        (endpoint(address="postgres://flow:canary@db.example.com/x"), ("endpoint.connector.config.address",)),
        (endpoint(servers=[{"token": "canary"}]), ("endpoint.connector.config.servers[0].token",)),
        ({"bindings": [{"resource": {"token": "a name of a table's"}}]}, ()),
        ([{"ingest": {}}], ()),
    ],
)
def test_open_secrets_are_found_and_never_told(spec: JsonValue, places: tuple[str, ...]) -> None:
    assert open_secrets(spec) == places


def test_what_a_tool_adds_is_no_change() -> None:
    assert unchanged({"key": ["/id"], "expectPubId": "x"}, {"key": ["/id"]})
    assert not unchanged({"key": ["/id"]}, {"key": ["/other"]})


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["acme/shop/a"], "acme/shop/a"),
        (["acme/shop/a", "acme/shop/b"], "acme/shop/"),
        (["acme/shop/a", "acme/shops/b"], "acme/"),
        (["acme/a", "other/a"], ""),
        ([], ""),
    ],
)
def test_what_names_have_in_common(names: list[str], prefix: str) -> None:
    assert common_prefix(names) == prefix


def test_a_tenant_stands_first() -> None:
    assert (tenant("acme/shop/a"), tenant("acme/")) == ("acme", "acme")
