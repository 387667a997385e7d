"""The steps that copy at Qdrant: the account with the key that reads it, a database with the key that reads that."""

from pathlib import Path

import pytest

from activities.copies.contracts import CopyStateRequest
from activities.copies.steps import copy_step_for
from activities.qdrant.contracts import COPY_DATABASE, COPY_STATE
from activities.qdrant.copying import QdrantCopying
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.qdrant.copy import CopiedQdrant
from tests.activities.qdrant.at_work import Vault, at_work


async def copied(vault: Vault, folder: Path, part: str) -> tuple[CopiedQdrant, str]:
    store = ArtifactStore(str(folder))
    steps = QdrantCopying(vault, artifacts=store, base_url=vault.twin.url)
    step = copy_step_for("qdrant", part)
    method = {COPY_STATE: steps.copy_state, COPY_DATABASE: steps.copy_database}[step] if step else None
    assert step is not None
    assert method is not None
    found = await at_work(step.name).run(method, CopyStateRequest(part=part))
    text = (await store.get(found.described)).decode()
    return CopiedQdrant.model_validate_json(text), text


async def test_clusters_are_copied_with_the_price_that_is_asked_for(vault: Vault, tmp_path: Path) -> None:
    found, text = await copied(vault, tmp_path, "aws/eu-central-1/gpx1")
    assert [one.name for one in found.clusters] == ["shop-search"]
    assert [(one.package.name, one.millicents_per_hour) for one in found.packages] == [("gpx1", 3_750)]
    assert (found.database, "canary" in text) == (None, False)


async def test_a_database_is_copied_with_its_collections_and_aliases_and_without_a_point(
    vault: Vault, tmp_path: Path
) -> None:
    found, text = await copied(vault, tmp_path, "@shop-search")
    assert found.database is not None
    (collection,) = found.database.collections
    assert collection.name in found.database.aliases.values()
    assert (collection.points > 0, "payload" in text, "canary" in text) == (True, False, False)
    assert (found.clusters, found.packages) == ((), ())


@pytest.mark.parametrize("part", ["gpx1", "aws/eu-central-1/none-such"])
async def test_a_package_that_cannot_be_had_is_refused(vault: Vault, tmp_path: Path, part: str) -> None:
    with pytest.raises(InvalidRequest):
        await copied(vault, tmp_path, part)


async def test_a_database_whose_key_vault_does_not_keep_is_not_copied(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="somebody-elses"):
        await copied(vault, tmp_path, "@somebody-elses")
    assert not tmp_path.exists() or list(tmp_path.iterdir()) == []
