"""An installation with its account's repositories, and no account's that still has the App."""

import json
import secrets
from datetime import UTC, datetime

import pytest

from hitl.github.events import Actor
from tests.workers.forgetting.conftest import Place
from tests.workers.forgetting.pretending import QUEUE, Told
from workers.commands.exits import Exit
from workflows.github.contracts import delivery_id
from workflows.github.installation_contracts import (
    INSTALLATION_MEMO,
    INSTALLATION_WORKFLOW,
    InstallationState,
    installation_id,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def installed(place: Place, login: str, *, seen: str = "", waits: bool = False) -> tuple[int, Told]:
    """One as its own workflow keeps it."""
    number = secrets.randbelow(1 << 40) + 1
    state = InstallationState(
        number=number,
        account=Actor(login=login, id=1),
        deleted=not waits,
        as_of=datetime.now(UTC),
        seen=(seen,) if seen else (),
    )
    one = Told(type=INSTALLATION_WORKFLOW, id=installation_id(number), waits=waits)
    memo = {INSTALLATION_MEMO: state.model_dump(mode="json")}
    handle = await place.client.start_workflow(one.type, one, id=one.id, task_queue=QUEUE, memo=memo)
    if not waits:
        await handle.result()
    await place.listed(one)
    return number, one


async def test_an_installation_goes_with_what_told_of_it_and_its_accounts_repositories(place: Place) -> None:
    told_of_it = place.of("GitHubDelivery", None, id=delivery_id(guid := secrets.token_hex(8)))
    mine = [place.of("GitHubJob"), place.of("GitHubDelivery", "crm"), told_of_it]
    alike = place.of("GitHubJob").model_copy(update={"repository": f"{place.owner}x/shop"})
    number, itself = await installed(place, place.owner, seen=guid)
    await place.begin(*mine, alike)
    shown = await place.given("--installation", str(number), "--json")
    told = json.loads(shown.stdout)
    assert told["executions"] == {"GitHubDelivery": 2, INSTALLATION_WORKFLOW: 1, "GitHubJob": 1}
    await place.given("--installation", str(number), "--yes")
    assert set(place.asked) == {itself.id, *(one.id for one in mine)}
    assert place.asked[-1] == itself.id, "by which the others are found, last"


async def test_one_that_is_there_stays_and_an_account_that_has_another_is_not_taken_for_this_one(place: Place) -> None:
    number, itself = await installed(place, place.owner, waits=True)
    await place.begin(job := place.of("GitHubJob"))
    told = await place.given("--installation", str(number), "--yes")
    assert (told.exit_code, place.asked) == (Exit.INCOMPLETE, [job.id])
    assert f"1 stay while they run: {itself.id}" in told.stdout

    former, _ = await installed(place, place.owner.upper())
    refused = await place.given("--installation", str(former), "--yes")
    assert (refused.exit_code, place.asked) == (Exit.USAGE, [])
    assert f"has the App installed again, as {number}" in refused.stderr
    nothing = await place.given("--installation", "1", "--yes")
    assert (nothing.exit_code, "nothing is kept" in nothing.stdout) == (0, True)
