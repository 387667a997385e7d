"""What people see: plans of any length and origin, how approvals ended, and links where they have an address."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import Verdict
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
from tests.hitl.console.visiting import Console, Visit, others_scripts
from tests.workflows.approval.approving import Ask, eventually
from workflows.approval.contracts import (
    APPROVAL_WORKFLOW,
    ApprovalRequest,
    ApprovalView,
    UpdateApproval,
)
from workflows.contracts import STATE_ATTRIBUTE, State

pytestmark = pytest.mark.asyncio(loop_scope="session")


def shown_at(approval: str) -> str:
    return f"/approval?id={quote(approval, safe='')}"


async def listed(visit: Visit, path: str, approval: str) -> str:
    """Its card, once the server's lists know it."""
    found: list[str] = []

    async def there() -> bool:
        page = await visit.get(path)
        found[:] = [part for part in page.text.split('<li class="card') if quote(approval) in part]
        return bool(found)

    await eventually(there)
    return found[0]


async def test_a_long_plan_is_told_whole_and_the_worst_comes_first(console: Console) -> None:
    house, changes = console.house, [Change.CREATE, Change.UPDATE, Change.DELETE]
    plan = Plan(
        action="github.delete_branch",
        parameters={"branch": "old", "notes": "n" * 3000, "parts": [{"part": one} for one in range(200)]},
        resources=tuple(
            Resource(kind="git branch", name=f"release-{one}", change=changes[one % 3]) for one in range(400)
        ),
        summary=tuple(f"Line {one}" for one in range(50)),
        risk=Risk.HIGH,
        cost=Cost(usd_cents=123456, per="month"),
    )
    async with house.workers(), console.visit("alice") as alice:
        request = house.request().model_copy(update={"plan": plan.text()})
        goal = await house.ask(Ask(request=request))
        approval = await house.approval_of(goal)
        page = (await alice.get(shown_at(approval))).text
        taken = await alice.get(f"/approval/plan?id={quote(approval, safe='')}")
        await goal.terminate()
    for one in range(400):
        assert f"<bdi>release-{one}</bdi>" in page
    for told in (
        "400 things",
        "133 to delete, 133 to update, 134 to create",
        "n" * 3000,
        "Line 49",
        "$1,234.56 a month",
    ):
        assert told in page
    assert page.index('aria-label="To delete"') < page.index('aria-label="To update"')
    digest = hashlib.sha256(b"banksman-plan-digest/v1\n" + taken.content).hexdigest()
    assert f"sha256:{digest}" in page
    assert (taken.text, taken.headers["content-disposition"][:10]) == (plan.text(), "attachment")


async def test_how_approvals_ended_is_told_apart(console: Console) -> None:
    house, ends = console.house, dict[str, str]()
    async with house.workers(), console.visit("alice") as alice:
        for outcome, verdict in (("rejected", Verdict.REJECT), ("changes_requested", Verdict.REQUEST_CHANGES)):
            goal = await house.start(branch=secrets.token_hex(4))
            ends[outcome] = await house.approval_of(goal)
            await house.decide(ends[outcome], "bob", verdict=verdict, reason="not yet")
            await goal.result()
        for outcome, approval in ends.items():
            assert f'state-{outcome}">' in await listed(alice, f"/decided?outcome={outcome}", approval)
            others = await alice.get("/decided?outcome=approved")
            assert quote(approval) not in others.text
            whole = await alice.get(shown_at(approval))
            assert (f'state-{outcome}">' in whole.text, "not yet" in whole.text) == (True, True)
            assert "verdict=" not in whole.text
        assert (await alice.get("/decided?outcome=waiting")).status_code == 400
        assert (await alice.get("/decided?outcome='%20OR%20''%3D'")).status_code == 400


async def test_one_that_was_terminated_waits_for_nobody(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.view(approval)
        await house.client.get_workflow_handle(approval).terminate()
        card = await listed(alice, "/decided", approval)
        whole = await alice.get(shown_at(approval))
        asked = await alice.get(f"/approval/decide?id={quote(approval, safe='')}&verdict=approve")
    assert ('state-terminated">' in card, 'state-terminated">' in whole.text) == (True, True)
    assert ("verdict=" in whole.text, asked.status_code) == (False, 409)


async def test_without_workers_plans_are_read_all_the_same(console: Console) -> None:
    house = console.house
    async with console.visit("alice") as alice:
        async with house.workers():
            goal = await house.start(branch="unseen")
            approval = await house.approval_of(goal)
            await listed(alice, "/", approval)
        card = await listed(alice, "/", approval)
        whole = await alice.get(shown_at(approval))
        await goal.terminate()
    for text in (card, whole.text):
        assert "<bdi>unseen</bdi>" in text
    assert "no worker says how it stands" in card
    assert "verdict=" not in whole.text


@workflow.defn(name=APPROVAL_WORKFLOW, sandboxed=False)
class PretendedApproval:
    """Whoever reaches Temporal can start an approval, and poll its queue with a worker that says what it likes."""

    @workflow.run
    async def run(self, request: ApprovalRequest) -> None:
        del request
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def view(self) -> ApprovalView:
        info = workflow.info()
        now = datetime.now(UTC)
        return ApprovalView(
            id=info.workflow_id,
            run_id=info.run_id,
            goal="some-goal",
            goal_run_id="its-run",
            step_id="x",
            action="github.delete_branch",
            environment="live",
            state=State.WAITING,
            digest="sha256:0",
            rule="r",
            rule_digest="sha256:0",
            path=ApprovalPath.ORDINARY,
            groups=("release",),
            needs=1,
            opened_at=now,
            expires_at=now + timedelta(hours=1),
        )


async def test_one_that_no_goal_asked_for_is_shown_as_such_whatever_it_says(console: Console) -> None:
    house, queue = console.house, f"pretended-{secrets.token_hex(4)}"
    own = Worker(house.client, task_queue=queue, workflows=[PretendedApproval])
    async with own, console.visit("alice") as alice:
        by_hand = await house.client.start_workflow(
            APPROVAL_WORKFLOW,
            house.request(),
            id=f"approval/by-hand/{secrets.token_hex(4)}",
            task_queue=queue,
        )
        card = await listed(alice, "/", by_hand.id)
        whole = await alice.get(shown_at(by_hand.id))
        asked = await alice.get(f"/approval/decide?id={quote(by_hand.id, safe='')}&verdict=approve")
        await by_hand.terminate()
    assert ("0 of 1 approved" in whole.text, asked.status_code) == (True, 409)
    for text in (card, whole.text):
        assert "it approves nothing" in text
        assert ("verdict=" in text, "waits for you" in text) == (False, False)


@pytest.mark.parametrize(
    "plan",
    ['{"schema":"banksman-plan","version":2}', "<script>alert(1)</script>", "{}"],
    ids=["version", "markup", "empty"],
)
async def test_a_plan_that_this_release_cannot_read_is_not_offered(console: Console, plan: str) -> None:
    house = console.house
    async with console.visit("alice") as alice:
        by_hand = await house.client.start_workflow(
            APPROVAL_WORKFLOW,
            house.request().model_copy(update={"plan": plan}),
            id=f"approval/by-hand/{secrets.token_hex(4)}",
            task_queue="nobody-polls",
        )
        whole = await alice.get(shown_at(by_hand.id))
        await by_hand.terminate()
    assert (whole.status_code, "cannot read the plan" in whole.text) == (200, True)
    assert ("verdict=" in whole.text, others_scripts(whole.text)) == (False, [])


async def test_links_are_there_where_they_have_an_address(client: Client, tmp_path: Path) -> None:
    console = Console(client, tmp_path)
    house = console.house
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        async with console.visit("alice") as alice:
            linked = (await alice.get(shown_at(approval))).text
        console.settings = console.settings.model_copy(update={"traces": None, "temporal_ui": None})
        async with console.visit("alice") as alice:
            bare = [(await alice.get(path)).text for path in ("/", shown_at(approval), "/goals")]
        described = await goal.describe()
        await goal.terminate()
    place = f"http://127.0.0.1:8233/namespaces/default/workflows/{goal.id}/{described.run_id}/history"
    assert f'href="{place}"' in linked
    assert f'href="http://127.0.0.1:9/?workflow_id={goal.id}"' in linked
    for text in bare:
        assert (">Temporal" in text, ">Trace" in text) == (False, False)


async def test_who_asked_is_called_by_name(console: Console) -> None:
    house = console.house
    async with house.workers(gateway=True), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)

        async def known() -> bool:
            return (await house.view(approval)).requester is not None

        await eventually(known)
        whole = await alice.get(shown_at(approval))
        card = await listed(alice, "/", approval)
        await goal.terminate()
    for text in (whole.text, card):
        assert "erin (slack:U0ERIN)" in text
    assert "waits for you" in card


async def test_how_the_approved_step_ended_is_told_with_its_approval(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start(branch="goes")
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        assert (await goal.result()).outcome == "completed"

        async def told() -> bool:
            return ">carried out</span>" in await listed(alice, "/decided", approval)

        await eventually(told)
        whole = await alice.get(shown_at(approval))
    assert '<p class="ending ending-completed"><b>Carried out</b>' in whole.text


async def test_each_approval_of_a_goal_that_asked_again_tells_its_own_end(console: Console) -> None:
    """The first grant comes too late, so that nothing is done with it; the second is carried out."""
    house, approvals = console.house, list[str]()
    house.ahead = timedelta(hours=2)
    async with house.workers(), console.visit("alice") as alice:

        async def tells(approval: str, words: str) -> bool:
            return words in (await alice.get(shown_at(approval))).text

        goal = await house.start(branch="asked-twice")
        for asked in range(2):
            approvals.append(await house.approval_of(goal, after=asked))
            if asked:  # the first one tells its end while the second waits
                await eventually(lambda: tells(approvals[0], "<b>Not carried out</b>"))
                house.ahead = timedelta()
            for person in ("alice", "bob"):
                await house.decide(approvals[asked], person)
        assert (await goal.result()).outcome == "completed"
        first, second = approvals

        async def told() -> bool:
            return ">carried out</span>" in await listed(alice, "/decided", second)

        await eventually(told)
        card = await listed(alice, "/decided", first)
        late, done = [(await alice.get(shown_at(one))).text for one in approvals]
    assert (">not carried out</span>" in card, ">carried out</span>" in card) == (True, False)
    assert ("<b>Not carried out</b>" in late, "<b>Carried out</b>" in late) == (True, False)
    assert "Why: " in late
    assert ("<b>Carried out</b>" in done, "<b>Not carried out</b>" in done) == (True, False)


async def test_nobody_else_says_how_an_approved_step_ended(console: Console) -> None:
    """Anybody can start what looks like a goal's notice, under its id and with its search attribute."""
    house = console.house
    async with house.workers(destructive=False), console.visit("alice") as alice:
        goal = await house.start(branch="lied-about")
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        last = UpdateApproval(view=await house.view(approval), plan="{}", ended="carried out", end="completed")
        forged = await house.client.start_workflow(
            "ApprovalNotice",
            last,
            id=f"{approval}/ended/forged",
            task_queue="nobody-polls",
            search_attributes=TypedSearchAttributes([SearchAttributePair(STATE_ATTRIBUTE, "completed")]),
        )

        async def indexed() -> bool:
            return (await house.client.count_workflows(f"WorkflowId = '{forged.id}'")).count == 1

        await eventually(indexed)
        card = await listed(alice, "/decided", approval)
        whole = await alice.get(shown_at(approval))
        for one in (forged, goal):
            await one.terminate()
    assert ("carried out" in card.lower(), ">running</span>" in card) == (False, True)
    assert ("<b>Carried out</b>" in whole.text, "<b>Under way</b>" in whole.text) == (False, True)


async def test_what_was_approved_and_did_not_happen_is_no_success(console: Console) -> None:
    """No worker takes the step, and the goal is ended by hand."""
    house = console.house
    async with house.workers(destructive=False), console.visit("alice") as alice:
        goal = await house.start(branch="stays")
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)

        async def told(words: str) -> bool:
            return words in (await alice.get(shown_at(approval))).text

        await eventually(lambda: told("<b>Under way</b>"))
        await goal.terminate(reason="not today")
        await eventually(lambda: told("<b>Terminated by hand</b><br><bdi>not today</bdi>"))
        assert not await told("Carried out")
