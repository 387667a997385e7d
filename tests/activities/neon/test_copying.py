"""The step `neon.copy_state`: one project by name, and no other's."""

from pathlib import Path

import pytest

from activities.copies.contracts import CopyProjectRequest
from activities.neon.contracts import COPY_STATE
from activities.neon.copying import NeonCopying
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest, NotFound
from connectors.neon.copy import CopiedProject
from tests.activities.github.at_work import at_work
from tests.activities.neon.at_neon import House
from tests.connectors.neon.at_neon import KEY_CANARY, PASSWORD_CANARY, PROJECT


async def test_a_project_is_copied_with_names_and_without_a_password(house: House, tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "a"))
    step = NeonCopying(house, artifacts=store, base_url=house.neon.served.url)
    found = await at_work(COPY_STATE.name, "copy-state/neon").run(step.copy_state, CopyProjectRequest(part=PROJECT))
    content = await store.get(found.described)
    copied = CopiedProject.model_validate_json(content)
    assert (copied.part, sum(one.default for one in copied.branches)) == (PROJECT, 1)
    assert all(one.databases and one.roles for one in copied.branches)
    assert [one for one in (KEY_CANARY, PASSWORD_CANARY) if one in content.decode()] == []
    assert {one["method"] for one in house.neon.served.requests()} == {"GET"}
    assert house.kept == {}


@pytest.mark.parametrize(("part", "error"), [("", InvalidRequest), ("somebody-elses-17281", NotFound)])
async def test_a_project_that_is_not_ours_is_not_copied(
    house: House, tmp_path: Path, part: str, error: type[Exception]
) -> None:
    step = NeonCopying(house, artifacts=ArtifactStore(str(tmp_path / "a")), base_url=house.neon.served.url)
    with pytest.raises(error):
        await at_work(COPY_STATE.name, "copy-state/neon").run(step.copy_state, CopyProjectRequest(part=part))


def test_policies_match_the_project_as_everywhere() -> None:
    assert COPY_STATE.request(part="p").policy_context().account == "p"
