"""Whatever becomes of answers, Vault and workers: at the end Vault holds keys that open, and no other key lives."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from activities.qdrant.contracts import IssueKeysRequest, KeysIssued
from connectors.errors import RateLimited, Unavailable
from connectors.qdrant.twin.app import create_twin
from tests.activities.qdrant.at_work import Vault, at_work
from tests.connectors.happening import FAULTS
from tests.connectors.qdrant.conftest import CONFIG
from tests.connectors.serving import ServedTwin, served_twin

CLUSTER = "c-1"
SEALED = "sealed"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Starlette, ServedTwin]]:
    app = create_twin(CONFIG)
    with served_twin(app) as served:
        yield app, served


async def issued(vault: Vault, bad_days: list[tuple[str, str]]) -> KeysIssued:
    """The step, tried until it ends; each of these days happens to one attempt."""
    request = IssueKeysRequest(id=CLUSTER, name="shop")
    for attempt in range(1, len(bad_days) + 2):
        method, fault = bad_days[attempt - 1] if attempt <= len(bad_days) else ("", "")
        vault.twin.http.delete("/_twin/faults").raise_for_status()
        vault.failing.clear()
        if fault == SEALED:
            vault.failing.append(Unavailable("sealed"))
        elif fault:
            vault.twin.plant(method=method, path="database-api-keys", **FAULTS[fault])
        try:
            return await at_work("qdrant.issue_keys", attempt=attempt).run(vault.clusters.issue_keys, request)
        except (Unavailable, RateLimited):
            continue
    raise AssertionError("it never ends")


@pytest.mark.timeout(300)
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    bad_days=st.lists(
        st.tuples(st.sampled_from(["GET", "POST", "DELETE"]), st.sampled_from([*FAULTS, SEALED])), max_size=6
    )
)
def test_vault_holds_what_opens_and_nothing_else_lives(
    running: tuple[Starlette, ServedTwin], bad_days: list[tuple[str, str]]
) -> None:
    app, served = running
    known: Any = app.state.twin.known
    known.keys.clear()
    seeded = next(iter(known.clusters.values()))
    host, _, port = served.url.removeprefix("http://").partition(":")
    endpoint = seeded.state.endpoint.model_copy(update={"url": f"http://{host}", "rest_port": int(port)})
    state = seeded.state.model_copy(update={"endpoint": endpoint})
    known.clusters[CLUSTER] = seeded.model_copy(update={"id": CLUSTER, "name": "shop", "state": state})
    vault = Vault(served)
    told = asyncio.run(issued(vault, bad_days))
    held = {vault.held[path]["api_key"].get_secret_value() for path in (told.reader, told.writer)}
    assert held == {key.key for key, _ in known.keys.values()}
    assert len(held) == 2
