"""Steps on backends that machines of goals serve, with the real relay, and lines that a test holds."""

import dataclasses
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.models.served import ANSWERS_FOR, ServedModels, ServedPage
from activities.models.serving_contracts import (
    ClaimServed,
    FindServed,
    ServedClaimed,
    ServedFound,
    ServedSeen,
    WatchServed,
    WithdrawServed,
)
from activities.models.watching import ServingActivities
from connectors.errors import AuthDenied, InvalidRequest
from connectors.served.hello import digest
from tests.activities.played_book import PlayedBook
from tests.activities.played_vault import PlayedVault
from tests.connectors.models.deployed import deployed
from tests.connectors.served.tunnelled import CALLER, TICKET, Tunnelled, tunnelled

FILE = """\
backends:
  gpu: {{kind: openai, url: "{url}/gpu/v1"}}
tiers: {{small: [gpu/lamp-1]}}
routes: {{read: small}}
data: {{gpu: [public, log]}}
served: {{gpu: {{relay: "relay.example:8443", run: [serve, lamp-1]}}}}
"""
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=1)
OURS = ServedPage(goal="serve/one", until=UNTIL, ticket=digest(TICKET), caller=digest(CALLER))


@dataclasses.dataclass
class Steps:
    """The steps of one models worker, as a goal asks them."""

    place: Tunnelled
    steps: ServingActivities

    async def take(self, name: str, request: object, *, goal: str = "serve/one") -> Any:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, workflow_id=goal)
        return await environment.run(getattr(self.steps, name), request)

    async def claim(self, *, goal: str = "serve/one", backend: str = "gpu") -> ServedClaimed:
        until = datetime.now(UTC) + timedelta(hours=1)
        return await self.take("claim_served", ClaimServed(backend=backend, until=until), goal=goal)

    async def watch(self, *, goal: str = "serve/one", answered: bool = False, backend: str = "gpu") -> ServedSeen:
        return await self.take("watch_served", WatchServed(backend=backend, seconds=0, answered=answered), goal=goal)


@pytest.fixture
def vault() -> PlayedVault:
    return PlayedVault({"models/gpu": {"key": SecretStr(CALLER)}})


@pytest_asyncio.fixture
async def steps(tmp_path: Path, vault: PlayedVault) -> AsyncGenerator[Steps]:
    async with tunnelled(tmp_path) as place:
        models = deployed(tmp_path, place.url, FILE)
        yield Steps(place, ServingActivities(vault, models, place.served, looks_every=timedelta()))


async def test_the_file_says_what_a_machine_boots(steps: Steps) -> None:
    found: ServedFound = await steps.take("find_served", FindServed(backend="gpu"))
    assert found.boot is not None
    assert (found.boot.relay, found.boot.run) == ("relay.example:8443", ("serve", "lamp-1"))
    assert (found.models, found.data) == (("lamp-1",), ("log", "public"))
    none: ServedFound = await steps.take("find_served", FindServed(backend="attic"))
    assert none.boot is None
    assert "models.yaml foresees no machine that serves 'attic' (it has: gpu); an operator can add it" in none.why


async def test_nobody_brings_a_backend_into_being_that_the_file_does_not_foresee(steps: Steps) -> None:
    for asked in (steps.claim(backend="attic"), steps.watch(backend="attic")):
        with pytest.raises(InvalidRequest, match="foresees no machine that serves 'attic'"):
            await asked
    assert steps.place.book.pages == {}


async def test_a_name_is_the_goals_that_claimed_it_and_no_other_takes_it_away(steps: Steps) -> None:
    assert (await steps.claim()).claimed
    refused = await steps.claim(goal="serve/other")
    assert not refused.claimed
    assert "end that goal first" in refused.why
    await steps.take("withdraw_served", WithdrawServed(backend="gpu"), goal="serve/other")
    assert (await steps.claim()).claimed
    await steps.take("withdraw_served", WithdrawServed(backend="gpu"))
    assert (await steps.claim(goal="serve/other")).claimed


async def test_a_watch_by_a_goal_that_lost_the_name_offers_nothing(steps: Steps) -> None:
    await steps.claim(goal="serve/other")
    seen = await steps.watch()
    assert (seen.held, seen.answers) == (False, False)
    assert not await steps.place.served.answers("gpu")


async def test_a_machine_that_has_not_dialled_in_is_told_as_such(steps: Steps) -> None:
    await steps.claim()
    seen = await steps.watch()
    assert (seen.answers, seen.why) == (False, "its machine has not dialled in")


async def test_a_key_that_was_changed_meanwhile_is_told_as_such(steps: Steps, vault: PlayedVault) -> None:
    await steps.claim()
    vault.held["models/gpu"] = {"key": SecretStr("another")}
    assert "another one" in (await steps.watch()).why


async def test_a_missing_key_says_where_to_put_it(steps: Steps, vault: PlayedVault) -> None:
    vault.held["models/gpu"] = {}
    with pytest.raises(AuthDenied, match="banksman/models/gpu has no field 'key': put a long random word there"):
        await steps.claim()


def test_a_page_is_free_once_its_time_is_over() -> None:
    other = OURS.model_copy(update={"goal": "serve/other"})
    assert OURS.claimed(other, NOW) is None
    assert OURS.claimed(other, UNTIL) == other


def test_a_claim_anew_keeps_the_machine_that_is_in() -> None:
    inside = OURS.admitted(digest(TICKET), "5" * 64, NOW)
    assert inside is not None
    again = inside.claimed(OURS.model_copy(update={"until": UNTIL + timedelta(hours=1)}), NOW)
    assert again is not None
    assert again.secret == "5" * 64
    fresh = inside.claimed(OURS.model_copy(update={"ticket": "9" * 64}), NOW)
    assert fresh is not None
    assert fresh.secret == ""


async def test_a_good_answer_counts_for_a_minute_and_a_half() -> None:
    at = [NOW]
    served = ServedModels(PlayedBook(), environment="local", clock=lambda: at[0])
    await served.claim("gpu", OURS)
    assert not await served.answers("gpu")
    await served.tell("gpu", "serve/one", answers=True)
    assert await served.answers("gpu")
    at[0] += ANSWERS_FOR
    assert not await served.answers("gpu")
    at[0] = UNTIL - timedelta(seconds=1)
    await served.tell("gpu", "serve/one", answers=True)
    assert await served.answers("gpu")
    at[0] = UNTIL
    assert not await served.answers("gpu")
    assert await served.caller("gpu") == ""
