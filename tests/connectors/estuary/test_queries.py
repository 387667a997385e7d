"""What is asked of Estuary and what its twin answers, against the schema that it publishes."""

from typing import Any, Final, Literal, get_args

import graphql
import pytest
from pydantic import BaseModel

from connectors.estuary import models
from connectors.estuary.models import (
    GraphRequest,
    LiveSpecsBy,
    LiveSpecsVariables,
    NewDraft,
    NewPublication,
    SpecType,
    StagedSpec,
)
from connectors.estuary.operations import FLOW_STATUS, LIVE_SPECS, QUERIES
from tests.connectors.estuary.conftest import APIKEY, KEY_CANARY
from tests.connectors.estuary.published import problems, schema, schema_required, tables, tables_required
from tests.connectors.serving import ServedTwin

BOTH: Final = pytest.mark.parametrize("query", QUERIES, ids=["live-specs", "flow-status"])
WAYS: Final = (
    LiveSpecsBy(prefix="acme/shop/"),
    LiveSpecsBy(names=("acme/shop/orders", "acme/shop/none", "others/secret")),
)


def told(twin: ServedTwin, query: str, by: LiveSpecsBy, *, first: int = 100, after: str | None = None) -> Any:
    """The twin's answer, whole, and the variables that it was asked with."""
    key = {"grant_type": "refresh_token", "refresh_token_id": "11", "secret": KEY_CANARY}
    token = twin.http.post("/api/v1/auth/token", json=key).json()["access_token"]
    request = GraphRequest(query=query, variables=LiveSpecsVariables(by=by, first=first, after=after))
    sent = request.model_dump(by_alias=True, exclude_none=True)
    answer = twin.http.post("/api/graphql", json=sent, headers={"Authorization": f"Bearer {token}"})
    return sent["variables"], answer.raise_for_status().json()


@schema_required
@BOTH
def test_each_query_is_one_of_the_published_schema(query: str) -> None:
    assert graphql.validate(schema(), graphql.parse(query)) == []


@schema_required
def test_a_query_that_is_none_is_noticed() -> None:
    assert problems(LIVE_SPECS.replace("lastPubId", "lastPublication"), {}, {})
    assert problems(LIVE_SPECS, {"by": {"nmaes": []}}, {})


@schema_required
@BOTH
@pytest.mark.parametrize("by", WAYS, ids=["prefix", "names"])
def test_the_twin_answers_as_the_schema_says(twin: ServedTwin, query: str, by: LiveSpecsBy) -> None:
    variables, answer = told(twin, query, by)
    assert answer["data"]["liveSpecs"]["edges"]
    assert problems(query, variables, answer["data"]) == []


@schema_required
def test_an_answer_that_is_none_is_noticed(twin: ServedTwin) -> None:
    variables, answer = told(twin, FLOW_STATUS, WAYS[0])
    answer["data"]["liveSpecs"]["edges"][0]["node"]["status"]["type"] = "FINE"
    assert problems(FLOW_STATUS, variables, answer["data"])


@schema_required
@pytest.mark.parametrize(
    ("ours", "name"),
    [
        ({models.QUEUED, models.SUCCESS, models.EMPTY, models.CHANGED, *models.PASSING}, "StatusType"),
        (set(get_args(SpecType)), "CatalogType"),
    ],
)
def test_the_words_are_those_of_the_schema(ours: set[str], name: str) -> None:
    kind = schema().type_map[name]
    assert isinstance(kind, graphql.GraphQLEnumType)
    assert ours <= kind.values.keys()


@tables_required
@pytest.mark.parametrize(
    ("table", "part", "row"),
    [
        ("drafts", "insert", NewDraft),
        ("draft_specs", "columns", StagedSpec),
        ("publications", "insert", NewPublication),
    ],
)
def test_rows_have_columns_that_the_tables_have(
    table: str, part: Literal["insert", "columns"], row: type[BaseModel]
) -> None:
    assert row.model_fields.keys() <= set(tables()["postgrest_tables"][table][part])


def test_the_twin_refuses_a_query_that_its_client_does_not_send(twin: ServedTwin) -> None:
    _, answer = told(twin, "query { liveSpecs }", WAYS[0])
    assert answer["data"] is None
    assert "of its client alone" in answer["errors"][0]["message"]


def test_pages_of_the_twin_end(twin: ServedTwin) -> None:
    _, first = told(twin, LIVE_SPECS, WAYS[0], first=2)
    info = first["data"]["liveSpecs"]["pageInfo"]
    assert info == {"hasNextPage": True, "endCursor": "acme/shop/orders"}
    _, second = told(twin, LIVE_SPECS, WAYS[0], first=2, after=info["endCursor"])
    assert [one["node"]["catalogName"] for one in second["data"]["liveSpecs"]["edges"]] == ["acme/shop/source"]
    assert not second["data"]["liveSpecs"]["pageInfo"]["hasNextPage"]


def test_the_tables_want_their_public_key_and_a_token(twin: ServedTwin) -> None:
    assert twin.http.get("/rest/v1/drafts").json()["message"] == "No API key found in request"
    assert twin.http.get("/rest/v1/drafts", headers={"apikey": APIKEY}).status_code == 401
