"""Jobs in the console: found by what began them, and a page with what one was asked for with and leaves to take."""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from urllib.parse import quote, urlencode

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.hitl.console.visiting import Console, Visit
from tests.workflows.approval.approving import eventually
from tests.workflows.github.at_github import HEAD, GitHub
from workflows.coding.job.goals import CodingJobInput, CodingJobResult
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput

pytestmark = pytest.mark.asyncio(loop_scope="session")
ALICE = "console:alice@acme.test"
TOKEN = "ghp_" + "a1B2c3D4e5" * 4
EVIL = "<img src=x onerror=alert(1)>\u202e\x1b[31m"


@workflow.defn(name="CodingJob", sandboxed=False)
class PlayedCodingJob:
    """Is refused at once, and keeps the change that its text names."""

    @workflow.run
    async def run(self, request: CodingJobInput) -> CodingJobResult:
        return CodingJobResult.model_validate(
            {
                "outcome": "refused",
                "reason": EVIL,
                "repository": request.repository,
                "kind": request.kind,
                "patch": (request.text or "").partition(" ")[0],
                "explanation": (request.text or "").partition(" ")[2],
                "requests": 3,
                "input_tokens": 12_345,
                "output_tokens": 678,
                "cost_micros": 21_000,
                "backend": "local",
                "model": EVIL,
            }
        )


@contextlib.asynccontextmanager
async def coded(client: Client, patch: str, words: str) -> AsyncGenerator[WorkflowHandle[object, object]]:
    queue = f"coded-{secrets.token_hex(4)}"
    request = CodingJobInput(repository="acme/shop", kind="docs", text=f"{patch} {words}")
    async with Worker(client, task_queue=queue, workflows=[PlayedCodingJob]):
        handle = await client.start_workflow("CodingJob", request, id=f"coding/{queue}", task_queue=queue)
        await handle.result()
        yield handle


async def listed(visit: Visit, **wanted: str) -> list[tuple[str, str]]:
    """Id and state of the jobs on the page."""
    page = await visit.get(f"/jobs?{urlencode(wanted)}")
    assert page.status_code == 200, page.text
    cards = page.text.split('<li class="card goal-')[1:]
    return [(card.split("<code>")[1].split("</code>")[0], card.partition('"')[0]) for card in cards]


async def queued(client: Client, repository: str, **changes: object) -> WorkflowHandle[object, object]:
    """A job that no worker has taken up."""
    asked = GitHubJobInput.model_validate(
        {"repository": repository, "goal": "ReadFile", "delivery": secrets.token_hex(8), "trigger": "label", **changes}
    )
    found_by = {**asked.search_attributes(), REQUESTER_ATTRIBUTE: ALICE}
    return await client.start_workflow(
        GITHUB_JOB.name,
        asked,
        id=asked.business_key(),
        task_queue=f"nobody-{secrets.token_hex(4)}",
        search_attributes=TypedSearchAttributes([SearchAttributePair(key, value) for key, value in found_by.items()]),
    )


async def test_a_job_is_listed_from_its_delivery_to_its_end_as_it_stands(console: Console) -> None:
    client, repository = console.house.client, f"acme/{secrets.token_hex(6)}"
    console.settings = console.settings.model_copy(update={"code": "https://github.com"})
    waits = await queued(client, repository)
    github = GitHub(client, read=application_error(ErrorType.NOT_FOUND, EVIL))
    async with github.at_work(), console.visit("alice") as alice:
        inputs = {"repository": repository, "path": "README.md"}
        job = await github.start(repository=repository, inputs=inputs, trigger="comment", asked_in=99)
        goal = f"{job.id}/goal"
        await github.reading.wait()
        under_way = [(waits.id, "queued"), (goal, "running")]

        async def is_listed(told: list[tuple[str, str]], **wanted: str) -> bool:
            return await listed(alice, repository=repository, **wanted) == told

        await eventually(lambda: is_listed(under_way))
        assert await is_listed([(waits.id, "queued")], state="queued")
        assert await is_listed([(goal, "running")], trigger="comment", action="ReadFile", requester="")
        assert await is_listed([(waits.id, "queued")], trigger="label", requester="alice", within="hour")
        assert await is_listed([], trigger="push")
        assert await is_listed([], action="DeleteBranch")
        assert await is_listed([(goal, "running")], text=job.id)
        while_it_runs = (await alice.get(f"/goal?id={quote(goal, safe='')}")).text
        github.reads_on.set()
        await job.result()
        await eventually(lambda: is_listed([(goal, "failed")], state="failed"))
        assert await is_listed([(waits.id, "queued")], state="queued")
        ended = (await alice.get(f"/goal?id={quote(goal, safe='')}")).text
        goals = (await alice.get(f"/goals?repository={quote(repository, safe='')}")).text
    await waits.terminate()
    assert goal in goals
    assert waits.id not in goals
    for page in (while_it_runs, ended):
        assert f"/acme/{repository.partition('/')[2]}/pull/7" in page
        assert f"/{repository}/issues/7#issuecomment-99" in page
        assert f"/{repository}/commit/{HEAD}" in page
        assert f"/{repository}/runs/11" in page
        assert "&#34;path&#34;: &#34;README.md&#34;" in page
    assert f"/{repository}/issues/7#issuecomment-22" in ended
    assert "<img src=x" not in ended


async def test_jobs_of_another_release_or_of_nobodys_hand_are_no_jobs(console: Console) -> None:
    """Without the attribute it is not known what began one; with a parent's id alone it has no job."""
    client, repository = console.house.client, f"acme/{secrets.token_hex(6)}"
    old = await queued(client, repository, trigger=None)
    evil = await client.start_workflow(
        "ReadFile",
        {"repository": repository, "path": TOKEN},
        id=f"{old.id}/goal",
        task_queue=TaskQueue.GOALS,
        search_attributes=TypedSearchAttributes([SearchAttributePair(REPOSITORY_ATTRIBUTE, repository)]),
    )
    async with console.visit("alice") as alice:
        page = (await alice.get(f"/goal?id={quote(evil.id, safe='')}")).text
        assert await listed(alice, repository=repository) == []
    await old.terminate()
    await evil.terminate()
    assert "On GitHub" not in page
    assert TOKEN not in page
    assert "[redacted github-token]" in page


@pytest.mark.parametrize(
    "wanted",
    [
        {"trigger": "comment' OR ''='"},
        {"trigger": "schedule'"},
        {"repository": "acme/shop' OR ''='"},
        {"repository": "acme"},
        {"repository": "acme/.."},
        {"state": "done"},
        {"action": "GitHubJob"},
    ],
)
async def test_what_no_job_can_be_is_refused(console: Console, wanted: dict[str, str]) -> None:
    async with console.visit("alice") as alice:
        assert (await alice.get(f"/jobs?{urlencode(wanted)}")).status_code == 400


async def test_a_kept_patch_is_shown_as_text_and_taken_as_a_file_that_nothing_opens(console: Console) -> None:
    patch = f"diff --git a b\n+<script>alert(1)</script>\n+{EVIL}\n".encode()
    reference = await console.artifacts.put(patch)
    async with coded(console.house.client, reference, "words") as goal, console.visit("alice") as alice:
        page = (await alice.get(f"/goal?id={quote(goal.id, safe='')}")).text
        where = f"id={quote(goal.id, safe='')}&of={quote(reference, safe='')}"
        shown, taken = await alice.get(f"/goal/artifact/text?{where}"), await alice.get(f"/goal/artifact?{where}")
    assert "change.patch" in page
    assert "12,345 tokens in, 678 out" in page
    assert "$0.0210 at most, 3 requests" in page
    assert taken.content == patch
    assert taken.headers["content-disposition"] == 'attachment; filename="change.patch"'
    assert taken.headers["content-type"] == "application/octet-stream"
    assert taken.headers["x-content-type-options"] == "nosniff"
    assert taken.headers["content-security-policy"].startswith("sandbox;")
    for raw in ("<script>alert", "<img src=x", "\u202e", "\x1b"):
        assert raw not in shown.text
        assert raw not in page
    assert "&lt;script&gt;alert(1)" in shown.text
    assert "\\u202e\\u001b[31m" in shown.text


async def test_only_what_a_result_declares_is_handed_out(console: Console) -> None:
    """A digest in a model's words, in another goal's result, or made up, opens nothing."""
    secret = await console.artifacts.put(b"of somebody else")
    gone = f"sha256:{'0' * 64}"
    async with coded(console.house.client, gone, secret) as goal, console.visit("alice") as alice:
        page = (await alice.get(f"/goal?id={quote(goal.id, safe='')}")).text
        answers = {
            of: (await alice.get(f"/goal/artifact?{urlencode({'id': goal.id, 'of': of})}")).status_code
            for of in (secret, gone, "", "../../etc/passwd", "sha256:../x", EVIL)
        }
        nowhere = await alice.get(f"/goal/artifact?{urlencode({'id': 'nowhere', 'of': secret})}")
    assert quote(secret, safe="") not in page.partition("What it left")[2].partition("</section>")[0]
    assert answers == {secret: 404, gone: 410, "": 404, "../../etc/passwd": 404, "sha256:../x": 404, EVIL: 404}
    assert nowhere.status_code == 404


async def test_the_whole_log_is_taken_as_text(console: Console) -> None:
    github = GitHub(console.house.client, read=application_error(ErrorType.NOT_FOUND, EVIL))
    github.reads_on.set()
    async with github.at_work(), console.visit("alice") as alice:
        job = await github.start()
        await job.result()
        log = await alice.get(f"/goal/log?id={quote(f'{job.id}/goal', safe='')}")
        none = await alice.get("/goal/log?id=nowhere")
    assert log.headers["content-disposition"] == 'attachment; filename="log.txt"'
    assert log.headers["content-security-policy"].startswith("sandbox;")
    assert "github.read_file: failed: NotFound:" in log.text
    assert log.text.count("\n") == 1
    assert "\x1b" not in log.text
    assert none.status_code == 404


async def test_a_foreign_origin_reads_nothing_by_a_script(console: Console) -> None:
    """Cookies travel with a link; what a script of another origin gets is kept from it by the browser."""
    async with console.visit("alice") as alice:
        answer = await alice.get("/jobs", Origin="https://evil.example", **{"Sec-Fetch-Site": "cross-site"})
        posted = await alice.hands.post("/jobs", headers={"Origin": "https://evil.example"})
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert posted.status_code in {403, 405}
