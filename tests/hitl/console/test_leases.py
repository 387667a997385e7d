"""The console's page of leases, over the real server's list."""

import pytest

from activities.leases.contracts import Owner
from connectors.errors import AuthDenied
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import Place
from tests.workflows.leases.sample import MACHINE
from workflows.leases.contracts import EndLease

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_leases_are_shown_with_who_holds_them_and_how_a_person_ends_what_is_stuck(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.leases.kinds.kinds", lambda: {MACHINE.name: MACHINE})
    place = Place(console.house.client)
    place.machines.there.add(place.mark)
    place.machines.refuses = AuthDenied("the key <b>was revoked</b>")
    async with place.at_work(), console.visit("alice") as visit:
        lease = await place.hold(place.request(owner=Owner(workflow_id="use/<i>it</i>")))

        async def shows(text: str, path: str = "/leases") -> bool:
            return text in (await visit.get(path)).text

        await eventually(lambda: shows(f"m-{place.mark}"))
        page = (await visit.get("/leases")).text
        assert "use/&lt;i&gt;it&lt;/i&gt;" in page
        assert "By hand" not in page
        await lease.execute_update("end", EndLease())
        await eventually(lambda: shows(f"sample stop {place.mark}"))
        assert await shows("the key &lt;b&gt;was revoked&lt;/b&gt;")
        place.machines.refuses = None
        await lease.execute_update("end", EndLease())
        await lease.result()
        await eventually(lambda: shows(f"m-{place.mark}", "/leases?ended=1"))


async def test_nobody_sees_them_who_is_not_signed_in(console: Console) -> None:
    async with console.visit() as visit:
        assert (await visit.get("/leases")).status_code == 303
