"""The steps that copy what sellers of Redis databases have: into the artifact store, without what opens anything."""

from pathlib import Path

import pytest

from activities.copies.contracts import CopyStateRequest, StateCopied
from activities.rediscloud.copying import RedisCloudCopying
from activities.upstash.copying import UpstashCopying
from connectors.artifacts import ArtifactStore
from connectors.errors import AuthDenied, InvalidRequest
from tests.activities.redis.at_work import at_work, houses
from tests.connectors.upstash.conftest import PASSWORD_CANARY

_COPYING = {"upstash": UpstashCopying, "rediscloud": RedisCloudCopying}


async def copied(name: str, folder: Path, *, part: str = "", revoked: bool = False) -> tuple[StateCopied, str]:
    store = ArtifactStore(str(folder))
    with houses(name) as house:
        if revoked:
            house.vault.held.clear()
        step = _COPYING[name](house.vault, artifacts=store, base_url=house.twin.url)
        found = await at_work(f"{name}.copy_state").run(step.copy_state, CopyStateRequest(part=part))
        assert [one for one in house.twin.requests() if one["method"] != "GET"] == []
    return found, (await store.get(found.described)).decode()


@pytest.mark.parametrize(
    ("name", "told"),
    [("upstash", "upstash: 3 databases"), ("rediscloud", "rediscloud: 2 subscriptions, 0 databases")],
)
async def test_an_account_is_copied_by_reading_without_a_password(tmp_path: Path, name: str, told: str) -> None:
    found, text = await copied(name, tmp_path)
    assert (found.told, found.size) == (told, len(text))
    assert "shop" in text
    assert PASSWORD_CANARY not in text
    assert "canary" not in text


@pytest.mark.parametrize("name", sorted(_COPYING))
async def test_a_part_of_an_account_that_is_copied_whole_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is copied whole"):
        await copied(name, tmp_path, part="shop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(_COPYING))
async def test_without_the_key_nothing_is_copied(tmp_path: Path, name: str) -> None:
    with pytest.raises((AuthDenied, KeyError)):
        await copied(name, tmp_path, revoked=True)
    assert list(tmp_path.iterdir()) == []
