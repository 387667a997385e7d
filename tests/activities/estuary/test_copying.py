"""The step `estuary.copy_state`: what is live below a prefix that the account may look at."""

from pathlib import Path

import pytest

from activities.estuary.contracts import COPY_STATE, CopyFlowsRequest
from activities.estuary.copying import EstuaryCopying
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.estuary.copy import CopiedCatalog
from tests.activities.estuary.house import at_work, houses


async def test_a_catalog_is_copied_as_it_is_live_and_nothing_is_drafted(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    with houses() as house:
        step = EstuaryCopying(house, artifacts=store, base_url=house.twin.url)
        found = await at_work(COPY_STATE.name).run(step.copy_state, CopyFlowsRequest(part="acme/"))
        live = {name: (one.type, one.pub_id.replace(":", "")) for name, one in house.catalog.live.items()}
        assert (house.catalog.drafts, house.catalog.publications) == ({}, {})
    copied = CopiedCatalog.model_validate_json(await store.get(found.described))
    assert {one.name: (one.type, one.publication) for one in copied.specs} == live


async def test_what_is_no_prefix_is_refused(tmp_path: Path) -> None:
    with houses() as house:
        step = EstuaryCopying(house, artifacts=ArtifactStore(str(tmp_path)), base_url=house.twin.url)
        with pytest.raises(InvalidRequest, match="is no prefix at Estuary"):
            await at_work(COPY_STATE.name).run(step.copy_state, CopyFlowsRequest(part="acme"))


async def test_of_another_tenant_there_is_nothing_to_copy(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    with houses() as house:
        step = EstuaryCopying(house, artifacts=store, base_url=house.twin.url)
        found = await at_work(COPY_STATE.name).run(step.copy_state, CopyFlowsRequest(part="evil/"))
    assert CopiedCatalog.model_validate_json(await store.get(found.described)).specs == ()


def test_policies_match_tenant_and_prefix() -> None:
    context = COPY_STATE.request(part="acme/shop/").policy_context()
    assert (context.account, context.resource) == ("acme", "acme/shop/")
