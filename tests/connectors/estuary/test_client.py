"""The client of Estuary on its twin: what an account sees, what it does, and every bad day."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors.errors import (
    AuthDenied,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    MalformedAnswer,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from connectors.estuary.auth import Bearer, TablesAuth
from connectors.estuary.client import TABLES, Account, Estuary
from connectors.estuary.manifest import ACCOUNT, ESTUARY
from connectors.estuary.models import NOT_THERE, LiveSpecsBy, NewPublication, Publication, StagedSpec, same_id
from connectors.estuary.twin.state import Catalog, TwinSpec
from connectors.twins.clock import TwinClock
from observability.redaction import redact
from tests.connectors.estuary.conftest import APIKEY, CONFIG, DELETER, KEY_CANARY, clocked, fields, opened
from tests.connectors.serving import ServedTwin

COLLECTION: dict[str, Any] = {"schema": {"type": "object"}, "key": ["/id"]}
ORDERS = "acme/shop/orders"


async def drafted(account: Account, name: str = "acme/shop/new", *, expect: str = NOT_THERE) -> str:
    draft = await account.create_draft("a test")
    spec = StagedSpec(
        draft_id=draft.id, catalog_name=name, spec_type="collection", spec=COLLECTION, expect_pub_id=expect
    )
    await account.stage([spec])
    return draft.id


async def published(account: Account, draft: str, twin: ServedTwin, *, dry_run: bool = False) -> Publication:
    queued = await account.publish(NewPublication(draft_id=draft, dry_run=dry_run, detail="a test"))
    assert queued.job_status.type == "queued"
    await clocked(twin)(CONFIG.building)
    return await account.publication(queued.id)


async def test_what_is_live_is_found_by_name_and_what_is_not_is_left_out(twin: ServedTwin, catalog: Catalog) -> None:
    async with opened(twin) as account:
        found = await account.live([ORDERS, "acme/shop/none"])
    assert found.keys() == {ORDERS}
    live = found[ORDERS].live_spec
    assert live is not None
    assert (live.catalog_type, live.model) == ("collection", catalog.live[ORDERS].model)
    assert same_id(live.last_pub_id, catalog.live[ORDERS].pub_id)


async def test_what_the_account_may_not_see_is_told(twin: ServedTwin) -> None:
    async with opened(twin) as account:
        with pytest.raises(Forbidden, match="'others/x' to this service account: grant it the prefix"):
            await account.live([ORDERS, "others/x"])


async def test_a_thousand_are_read_in_pages_and_no_more_than_are_wanted(twin: ServedTwin, catalog: Catalog) -> None:
    more = Catalog(
        TwinClock(),
        prefix="acme/",
        building=1,
        activating=1,
        live={f"acme/many/{number:04}": TwinSpec(type="collection", model=COLLECTION) for number in range(1000)},
    )
    catalog.live |= more.live
    async with opened(twin) as account:
        found, rest = await account.statuses(LiveSpecsBy(prefix="acme/many/"), most=950)
        assert (len(found), rest) == (950, True)
        found, rest = await account.statuses(LiveSpecsBy(prefix="acme/many/"), most=1000)
        assert (len({one.catalog_name for one in found}), rest) == (1000, False)


async def test_a_draft_is_published_and_gone(twin: ServedTwin, catalog: Catalog) -> None:
    async with opened(twin) as account:
        draft = await drafted(account)
        assert await account.staged(draft) == {"acme/shop/new"}
        ended = await published(account, draft, twin)
        assert (ended.job_status.type, ended.pub_id) == ("success", catalog.live["acme/shop/new"].pub_id)
        assert await account.drafts("a test") == ()
        assert [one.log_line for one in await account.logs(ended)][-1] == "the publication ended: success"


async def test_a_dry_run_changes_nothing_and_keeps_its_draft(twin: ServedTwin, catalog: Catalog) -> None:
    before = dict(catalog.live)
    async with opened(twin) as account:
        draft = await drafted(account)
        ended = await published(account, draft, twin, dry_run=True)
        assert ended.job_status.type == "success"
        assert [one.id for one in await account.drafts("a test")] == [draft]
        await account.delete_draft(draft)
        await account.delete_draft(draft)
        assert await account.drafts("a test") == ()
    assert catalog.live == before


async def test_another_publication_in_between_is_told_with_both_ids(twin: ServedTwin, catalog: Catalog) -> None:
    async with opened(twin) as account:
        ended = await published(account, await drafted(account, ORDERS), twin)
    assert ended.job_status.type == "expectPubIdMismatch"
    [failure] = ended.job_status.failures
    assert (failure.catalog_name, failure.actual) == (ORDERS, catalog.live[ORDERS].pub_id)


async def test_what_is_wrong_with_a_draft_is_told(twin: ServedTwin) -> None:
    async with opened(twin) as account:
        draft = (await account.create_draft("a test")).id
        model: dict[str, Any] = {"bindings": [{"source": "acme/shop/none", "resource": {}}]}
        await account.stage(
            [
                StagedSpec(
                    draft_id=draft,
                    catalog_name="acme/shop/bad",
                    spec_type="materialization",
                    spec=model,
                    expect_pub_id=NOT_THERE,
                )
            ]
        )
        assert (await published(account, draft, twin)).job_status.type == "buildFailed"
        [error] = await account.errors(draft)
    assert "acme/shop/none, which is not defined" in error.detail


async def test_a_deletion_is_a_row_without_a_specification(twin: ServedTwin, catalog: Catalog) -> None:
    async with opened(twin) as account:
        draft = await drafted(account)
        gone = StagedSpec(
            draft_id=draft, catalog_name="acme/shop/archive", expect_pub_id=catalog.live["acme/shop/archive"].pub_id
        )
        await account.stage([gone])
        assert (await published(account, draft, twin)).job_status.type == "success"
    assert "acme/shop/archive" not in catalog.live
    assert "acme/shop/new" in catalog.live


async def test_an_account_sees_its_own_drafts_and_publications_alone(twin: ServedTwin) -> None:
    async with opened(twin) as one, opened(twin, DELETER) as other:
        draft = await drafted(one)
        assert await other.drafts("a test") == ()
        with pytest.raises(Forbidden):
            await other.publish(NewPublication(draft_id=draft, dry_run=False, detail="a test"))
        await published(one, draft, twin)
        assert await other.publications("a test") == ()
        assert len(await one.publications("a test")) == 1


async def test_a_wrong_key_is_told_with_the_place_of_the_right_one(twin: ServedTwin) -> None:
    with pytest.raises(AuthDenied, match="into Vault at banksman/estuary/account") as told:
        async with opened(twin, fields(key="flow_sa_another")):
            pass
    assert KEY_CANARY not in str(told.value)
    with pytest.raises(AuthDenied, match="'estuary/account' lacks apikey, secret"):
        async with opened(twin, {"token_id": SecretStr("11")}):
            pass


async def test_a_token_that_expires_half_way_is_told(twin: ServedTwin) -> None:
    async with opened(twin) as account:
        await account.drafts("a test")
        await clocked(twin)(3601)
        with pytest.raises(AuthDenied):
            await account.drafts("a test")


async def test_a_key_for_one_use_is_refused(twin: ServedTwin) -> None:
    spent = {"access_token": "token-canary", "refresh_token": {"id": "1", "secret": "rotated-canary"}}
    twin.plant(path="auth/token", kind="status", status=200, body=spent)
    with pytest.raises(AuthDenied, match="was for one use and is spent") as told:
        async with opened(twin):
            pass
    assert "canary" not in str(told.value)


async def test_tokens_are_known_to_the_redaction(twin: ServedTwin) -> None:
    body = {"access_token": "an-access-token-canary"}
    twin.plant(path="auth/token", kind="status", status=200, body=body)
    async with opened(twin):
        assert "an-access-token-canary" not in redact.text("it says an-access-token-canary")


BAD_DAYS = [
    ({"kind": "status", "status": 403}, Forbidden),
    ({"kind": "status", "status": 400}, InvalidRequest),
    ({"kind": "status", "status": 429}, RateLimited),
    ({"kind": "status", "status": 503}, Unavailable),
    ({"kind": "garbage"}, MalformedAnswer),
    ({"kind": "drop"}, Unavailable),
    ({"kind": "drop_after_effect"}, Unavailable),
]


@pytest.mark.parametrize(("fault", "error"), BAD_DAYS, ids=str)
@pytest.mark.parametrize("path", ["auth/token", "api/graphql"])
async def test_a_bad_day_of_what_only_reads(
    twin: ServedTwin, fault: dict[str, object], error: type[ConnectorError], path: str
) -> None:
    twin.plant(path=path, **fault)
    with pytest.raises(error) as told:
        async with opened(twin) as account:
            await account.live([ORDERS])
    assert type(told.value) is error
    async with opened(twin) as account:
        assert ORDERS in await account.live([ORDERS])


@pytest.mark.parametrize("kind", ["drop", "drop_after_effect", "garbage"])
async def test_a_publication_whose_answer_is_lost_is_in_doubt(twin: ServedTwin, kind: str) -> None:
    async with opened(twin) as account:
        draft = await drafted(account)
        twin.plant(method="POST", path="rest/v1/publications", kind=kind)
        with pytest.raises(OutcomeUnknown):
            await account.publish(NewPublication(draft_id=draft, dry_run=False, detail="a test"))
        assert len(await account.publications("a test")) == (kind == "drop_after_effect")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"data": None, "errors": [{"message": "no", "extensions": {"error": "missing_capabilities"}}]},
            Forbidden,
        ),
        ({"data": None, "errors": [{"message": "no such prefix"}]}, InvalidRequest),
        ({"data": None}, MalformedAnswer),
        (
            {"data": {"liveSpecs": {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}},
            MalformedAnswer,
        ),
    ],
    ids=["forbidden", "invalid", "nothing", "no-cursor"],
)
async def test_a_refusal_within_an_answer_that_says_yes(
    twin: ServedTwin, body: dict[str, Any], error: type[ConnectorError]
) -> None:
    twin.plant(path="graphql", kind="status", status=200, body=body)
    with pytest.raises(error) as told:
        async with opened(twin) as account:
            await account.live([ORDERS])
    assert type(told.value) is error


async def test_a_list_that_leads_to_the_same_page_ends(twin: ServedTwin) -> None:
    page = {"data": {"liveSpecs": {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": "a"}}}}
    twin.plant(path="graphql", kind="status", status=200, body=page, times=2)
    async with opened(twin) as account:
        with pytest.raises(MalformedAnswer, match="back to the page"):
            await account.live([ORDERS])


def not_yet(place: str = "/api/graphql?started=1&retryAfter=2", seconds: int = 3) -> dict[str, Any]:
    headers = {"Location": place, "Retry-After": str(seconds)}
    return {"path": "graphql", "kind": "status", "status": 307, "headers": headers}


async def test_a_right_that_does_not_show_yet_is_waited_for(twin: ServedTwin) -> None:
    twin.plant(times=2, **not_yet())
    async with opened(twin) as account:
        assert ORDERS in await account.live([ORDERS])
    assert len([one for one in twin.requests() if one["path"] == "/api/graphql"]) == 3


async def test_a_right_that_never_shows_is_no_endless_wait(twin: ServedTwin) -> None:
    twin.plant(times=100, **not_yet(seconds=10))
    async with opened(twin) as account:
        with pytest.raises(Unavailable) as told:
            await account.live([ORDERS])
    assert told.value.retry_after == timedelta(seconds=10)
    assert len([one for one in twin.requests() if one["path"] == "/api/graphql"]) == 4


async def test_a_redirection_takes_its_query_and_leads_nowhere_else() -> None:
    """Its time to wait is a date by Estuary's own clock, which may be a day off."""
    seen, waited = list[tuple[str, bytes]](), list[float]()
    now = datetime.now(UTC) + timedelta(days=1)
    headers = {
        "Location": "https://elsewhere.example.com/x?started=1",
        "Date": format_datetime(now),
        "Retry-After": format_datetime(now + timedelta(seconds=3)),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.content))
        return httpx.Response(307, headers=headers) if len(seen) == 1 else httpx.Response(200)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=Bearer("token", sleep=sleep)) as http:
        await http.post("https://api.example.com/api/graphql", json={"a": 1})
    place, body = "https://api.example.com/api/graphql", b'{"a":1}'
    assert seen == [(place, body), (f"{place}?started=1", body)]
    assert waited == [3]


def test_rows_are_written_over_only_where_that_is_asked_for() -> None:
    auth = TablesAuth("token", apikey=APIKEY)
    for query, over in (("", False), ("?on_conflict=draft_id,catalog_name", True)):
        request = next(auth.auth_flow(httpx.Request("POST", f"https://x.example.com/rest/v1/draft_specs{query}")))
        assert ("merge-duplicates" in request.headers["prefer"]) is over
        assert request.headers["apikey"] == APIKEY


def test_the_tables_are_on_their_own_host_at_estuary_alone() -> None:
    assert ESTUARY.url is not None
    for url, tables in ((ESTUARY.url, TABLES), ("http://127.0.0.1:1", "http://127.0.0.1:1")):
        estuary = Estuary(ACCOUNT, base_url=url)
        assert estuary.tables_url == tables
