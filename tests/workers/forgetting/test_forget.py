"""`banksman github forget` on the real server: what is asked for goes, and nothing else does."""

import json
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from tests.workers.forgetting.conftest import Place
from workers.commands import forget as command
from workers.commands.exits import Exit
from workers.forgetting import deleting
from workers.forgetting.scope import Scope, WrongName, of_people, of_repositories
from workflows.contracts import REPOSITORY_ATTRIBUTE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_a_repository_is_shown_and_then_forgotten_with_all_that_was_begun_and_nothing_else(place: Place) -> None:
    whole = f"{place.owner}/shop"
    approval = place.of("Approval", None)
    goal = place.of("ReadFile", begins=(approval,))
    job = place.of("GitHubJob", begins=(goal,))
    others_child = place.of("ReadFile", "crm")
    plan = place.of("RunPlan", None, begins=(ours := place.of("ReadFile"), place.of("ReadFile", "crm")))
    delivery = place.of("GitHubDelivery", begins=(others_child,))
    alike = [place.of("GitHubDelivery", name) for name in ("shop2", "sho", "Shop", "shop-", "shop.x")]
    await place.begin(job, plan, delivery, *alike)
    mine, others = (job, goal, approval, ours, delivery), (*alike, plan, others_child, plan.begins[1])

    shown = await place.given("--repository", whole, "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["executions"]) == (
        0,
        {"Approval": 1, "GitHubDelivery": 1, "GitHubJob": 1, "ReadFile": 2},
    )
    assert place.asked == []
    assert json.loads(shown.stdout)["deleted"] is False
    assert (
        "Nothing is deleted yet. Give the command again with --yes."
        in (await place.given("--repository", whole)).stdout
    )
    assert len(await place.left(*mine)) == len(mine), "shown is not deleted"

    place.patched.setattr(command, "_PATIENCE", 90.0)
    done = await place.given("--repository", whole, "--yes")
    assert (done.exit_code, "Deleted of" in done.stdout, "the audit log: a chain" in done.stdout) == (0, True, True)
    assert await place.left(*mine) == []
    assert await place.left(*others) == [one.id for one in others]
    again = await place.given("--repository", whole, "--yes")
    assert (again.exit_code, "nothing is kept" in again.stdout) == (0, True)


async def test_interrupted_it_goes_on_and_loses_no_sight_of_what_says_nothing_of_its_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = place.of("Approval", None)
    middle = place.of("OpenPullRequest", None, begins=(leaf,))
    job = place.of("GitHubJob", begins=(middle,))
    await place.begin(job)
    really = deleting._delete

    async def once(client: Client, one: WorkflowExecution) -> None:
        if place.asked:
            raise RPCError("down", RPCStatusCode.UNAVAILABLE, b"")
        await really(client, one)

    monkeypatch.setattr(deleting, "_delete", once)
    broken = await place.given("--repository", f"{place.owner}/shop", "--yes")
    assert (broken.exit_code, place.asked) == (Exit.FAILED, [leaf.id]), "children first"
    assert "Temporal does not answer: down; 1 executions are deleted. Give the command again" in broken.stderr
    assert await place.left(middle, job) == [middle.id, job.id]

    monkeypatch.setattr(deleting, "_delete", really)
    taken = await place.given("--repository", f"{place.owner}/shop", "--yes")
    assert [one for one in place.asked if one != leaf.id] == [middle.id, job.id]
    assert taken.exit_code in {0, Exit.INCOMPLETE}, "6 as long as Temporal still has one"


async def test_nothing_is_said_to_be_gone_that_temporal_still_has(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.begin(place.of("GitHubDelivery"))

    async def taken(client: Client, one: WorkflowExecution) -> None:
        """And not done yet."""

    monkeypatch.setattr(deleting, "_delete", taken)
    told = await place.given("--repository", f"{place.owner}/shop", "--yes")
    assert told.exit_code == Exit.INCOMPLETE
    assert "Temporal has taken all of it, and still has 1: it deletes them by itself." in told.stdout


async def test_what_runs_and_what_belongs_to_it_and_what_is_young_stays_and_is_told(place: Place) -> None:
    whole = f"{place.owner}/shop"
    runs = place.of("GitHubJob", waits=True, begins=(child := place.of("ReadFile"),))
    begun = place.of("ReadFile", begins=(lease := place.of("Lease", None, waits=True),))
    asks_again = place.of("GitHubDelivery", id=f"github-delivery/{place.owner}", waits=True)
    its_job = place.of("GitHubJob", id=f"github-job/{place.owner}/part")
    await place.begin(runs, begun, asks_again, its_job)
    all_of_it = (runs, child, begun, lease, asks_again, its_job)

    told = await place.given("--repository", whole, "--yes", "--json")
    report = json.loads(told.stdout)
    assert (told.exit_code, report["executions"]) == (Exit.INCOMPLETE, {})
    assert sorted(report["running"]) == sorted(one.id for one in (runs, lease, asks_again))
    assert sorted(report["held"]) == sorted(one.id for one in (child, begun, its_job))

    old = place.of("GitHubDelivery", "quick", begins=(place.of("Approval", None),))
    await place.begin(old)
    today = await place.given("--repository", f"{place.owner}/quick", "--yes", days=timedelta())
    assert (today.exit_code, place.asked) == (Exit.INCOMPLETE, [])
    assert "2 stay until 20" in today.stdout
    assert "Something is left. Give the command again after 20" in today.stdout
    assert await place.left(*all_of_it, old, *old.begins) == [one.id for one in (*all_of_it, old, *old.begins)]


async def test_a_person_is_found_in_every_case_and_nobody_with_a_name_alike(place: Place) -> None:
    login = place.owner
    mine = [
        place.of("GitHubDelivery", requester=f"github:{login}"),
        place.of("GitHubJob", "crm", requester=f"github:{login}", begins=(place.of("Approval", None),)),
    ]
    for_others = place.of("ReadFile", requester=f"github:{login}2")
    plan = place.of("RunPlan", requester=f"github:{login}", begins=(for_others,))
    alike = [place.of("GitHubJob", requester=name) for name in (f"github:{login}2", f"slack:{login}", login, "github:")]
    nobodys = place.of("GitHubDelivery")
    await place.begin(*mine, plan, *alike, nobodys)

    told = json.loads((await place.given("--person", login.upper(), "--json")).stdout)
    assert told["executions"] == {"Approval": 1, "GitHubDelivery": 1, "GitHubJob": 1, "RunPlan": 1}
    assert told["nameless_deliveries"] >= 1
    done = await place.given("--person", login.upper(), "--yes")
    assert "deliveries do not say who caused them" in done.stdout
    assert set(place.asked) == {one.id for one in (*mine, *mine[1].begins, plan)}
    stays = [*alike, nobodys, for_others]
    assert await place.left(*stays) == [one.id for one in stays]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "%",
        "a' OR '1'='1",
        'a" OR "1"="1',
        "alice,bob",
        "al ice",
        "-alice",
        "alice\n",
        "github:alice",
        "@alice",
    ],
)
async def test_no_login_is_more_than_a_login(name: str) -> None:
    with pytest.raises(WrongName, match="is no login of GitHub's"):
        of_people((name,))


@pytest.mark.parametrize(
    "name", ["", "acme", "acme/", "/shop", "acme/*", "acme/%", "acme/shop' OR 'a'='a", "acme/shop\n", "a/b/c", "a b/c"]
)
async def test_no_repository_is_more_than_one(name: str) -> None:
    with pytest.raises(WrongName, match="is no repository of GitHub's"):
        of_repositories((name,))


async def test_in_a_query_a_name_is_a_literal_even_where_nobody_checked_it(place: Place) -> None:
    await place.begin(place.of("GitHubDelivery"))
    whole = f"{place.owner}/shop"
    for hostile in (f"{whole}' OR WorkflowId != 'x", f"{whole}') OR ('a' = 'a", f"{whole}\\", "%", f"{place.owner}/%"):
        for scope in (
            Scope(key=REPOSITORY_ATTRIBUTE, names=(hostile,)),
            Scope(key=REPOSITORY_ATTRIBUTE, owners=(hostile,)),
            Scope(key=REPOSITORY_ATTRIBUTE, ids=(hostile,)),
        ):
            [query] = scope.queries()
            assert [one.id async for one in place.client.list_workflows(query)] == []


async def test_what_is_said_wrongly_is_told_in_one_line(place: Place) -> None:
    for arguments, why in (
        ((), "say whose"),
        (("--person", "alice", "--repository", "acme/shop"), "one kind at a time"),
        (("--person", "a' OR '1'='1"), "is no login of GitHub's"),
        (("--repository", "acme/shop", "--repository", "acme/*"), "'acme/*' is no repository of GitHub's"),
        (("--repository", "acme/shop", "--artifacts", "--leave-stored"), "not both"),
    ):
        said = await place.given(*arguments)
        assert (said.exit_code, why in said.stderr, said.stderr.count("\n")) == (Exit.USAGE, True, 1), said.stderr
    nowhere = str(place.store / "not-there")
    said = await place.given("--repository", "acme/shop", BANKSMAN_ARTIFACTS=nowhere)
    assert (said.exit_code, "there is no artifact store at" in said.stderr) == (Exit.USAGE, True)
    assert list(place.store.iterdir()) == [], "and none is made"
