"""Estuary's twin, asked whatever can be asked: its queries stay within the published schema, its tables never break."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.estuary.operations import QUERIES
from connectors.estuary.twin.app import create_twin
from tests.connectors.estuary.conftest import APIKEY, CONFIG, KEY_CANARY
from tests.connectors.estuary.published import problems, schema_required
from tests.connectors.serving import ServedTwin, served_twin

_NAMES: Final = st.one_of(
    st.sampled_from([*CONFIG.live, "acme/none", "others/x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
)
_BY: Final = st.one_of(
    st.fixed_dictionaries({"prefix": _NAMES}),
    st.fixed_dictionaries({"names": st.lists(_NAMES, max_size=4)}),
    st.fixed_dictionaries({"names": st.lists(_NAMES, max_size=4), "prefix": _NAMES}),
)
_JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), _NAMES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["bindings", "source", "target", "endpoint", "connector", "image"]), inner),
    ),
    max_leaves=9,
)
_FUZZED: Final = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def running() -> Iterator[ServedTwin]:
    with served_twin(create_twin(CONFIG)) as served:
        key = {"grant_type": "refresh_token", "refresh_token_id": "11", "secret": KEY_CANARY}
        token = served.http.post("/api/v1/auth/token", json=key).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "apikey": APIKEY}
        with httpx.Client(base_url=served.url, timeout=10, headers=headers) as http:
            yield ServedTwin(served.url, http)


@schema_required
@_FUZZED
@given(query=st.sampled_from(QUERIES), by=_BY, first=st.integers(0, 5), after=st.one_of(st.none(), _NAMES))
def test_whatever_is_asked_is_answered_as_the_schema_says(
    running: ServedTwin, query: str, by: dict[str, Any], first: int, after: str | None
) -> None:
    variables = {"by": by, "first": first} | ({"after": after} if after is not None else {})
    answer = running.http.post("/api/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == httpx.codes.OK
    told = answer.json()
    assert (told["data"] is None) is bool(told.get("errors"))
    if told["data"] is not None:
        assert problems(query, variables, told["data"]) == []


@_FUZZED
@given(
    expect=st.sampled_from(["00:00:00:00:00:00:00:00", "0000000000000000", "x"]),
    rows=st.dictionaries(_NAMES, st.tuples(st.sampled_from([None, "capture", "collection", "materialization"]), _JSON)),
    dry_run=st.booleans(),
)
def test_whatever_is_drafted_is_published_or_refused(
    running: ServedTwin, expect: str, rows: dict[str, tuple[str | None, Any]], dry_run: bool
) -> None:
    [draft] = running.http.post("/rest/v1/drafts", json={"detail": "fuzz"}).json()
    staged = running.http.post(
        "/rest/v1/draft_specs",
        json=[
            {"draft_id": draft["id"], "catalog_name": name, "spec_type": kind, "spec": spec, "expect_pub_id": expect}
            for name, (kind, spec) in rows.items()
        ],
    )
    assert staged.status_code in {201, 400}
    order = {"draft_id": draft["id"], "dry_run": dry_run, "detail": "fuzz"}
    [queued] = running.http.post("/rest/v1/publications", json=order).json()
    running.http.post("/_twin/clock", json={"advance": CONFIG.building}).raise_for_status()
    [ended] = running.http.get("/rest/v1/publications", params={"id": f"eq.{queued['id']}"}).json()
    assert ended["job_status"]["type"] in {"success", "emptyDraft", "buildFailed", "expectPubIdMismatch"}
    assert (ended["pub_id"] is not None) is (ended["job_status"]["type"] == "success")


@pytest.mark.parametrize("table", ["draft_specs", "draft_errors", "publications"])
@pytest.mark.parametrize(("wanted", "status"), [("eq.x", 200), ("like.x", 400), ("x", 400)])
def test_filters_are_those_of_the_tables(running: ServedTwin, table: str, wanted: str, status: int) -> None:
    assert running.http.get(f"/rest/v1/{table}", params={"draft_id": wanted}).status_code == status


def test_a_table_is_never_emptied_by_mistake(running: ServedTwin) -> None:
    assert running.http.delete("/rest/v1/drafts").status_code == httpx.codes.BAD_REQUEST
