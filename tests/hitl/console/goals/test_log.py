"""A goal's whole log on its page: every step by the server's own record, also where no worker answers."""

import html
from urllib.parse import quote

import pytest

from activities.guard.error_types import ErrorType, application_error
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import eventually
from tests.workflows.github.at_github import GitHub

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVIL = "<img src=x onerror=alert(1)>"


def log_of(page: str) -> str:
    """The section, as its reader sees it."""
    return html.unescape(page.partition('id="log"')[2].partition("</section>")[0])


async def test_the_page_behind_a_check_run_tells_every_step_and_why_one_failed(console: Console) -> None:
    github = GitHub(console.house.client, read=application_error(ErrorType.NOT_FOUND, f"no file {EVIL}"))
    async with github.at_work(), console.visit("alice") as alice:
        job = await github.start()
        await github.reading.wait()
        where = f"/goal?id={quote(f'{job.id}/goal', safe='')}"

        async def under_way() -> bool:
            return 'github.read_file</code> <span class="sub">under way' in log_of((await alice.get(where)).text)

        await eventually(under_way)
        github.reads_on.set()
        await job.result()
        page = await alice.get(where)
    log = log_of(page.text)
    assert 'github.read_file</code> <span class="sub">failed' in log
    assert f"NotFound: no file {EVIL}" in log
    assert EVIL not in page.text


async def test_the_log_is_there_where_no_worker_is(console: Console) -> None:
    github = GitHub(console.house.client)
    async with github.at_work():
        job = await github.start()
        await github.reading.wait()
        github.reads_on.set()
        await job.result()
    async with console.visit("alice") as alice:
        page = await alice.get(f"/goal?id={quote(f'{job.id}/goal', safe='')}")
    assert 'github.read_file</code> <span class="sub">completed' in log_of(page.text)


async def test_jobs_are_looked_for_by_their_name_and_lead_to_their_goal(console: Console) -> None:
    github = GitHub(console.house.client)
    async with github.at_work(), console.visit("alice") as alice:
        job = await github.start()
        await github.reading.wait()
        github.reads_on.set()
        await job.result()

        async def listed() -> bool:
            jobs = (await alice.get(f"/goals?action=GitHubJob&text={quote(job.id)}")).text
            return job.id in jobs and f"{job.id}/goal" not in jobs

        await eventually(listed)
        every = (await alice.get(f"/goals?text={quote(job.id)}")).text
        page = (await alice.get(f"/goal?id={quote(job.id, safe='')}")).text
    assert f"<code>{job.id}</code>" not in every
    assert f"<code>{job.id}/goal</code>" in every
    begun = html.unescape(page.partition("Goals that it started</h2>")[2].partition("</section>")[0])
    assert ">ReadFile</a> <code>goal</code>" in begun
    assert "github.put_check" in log_of(page)
    assert "/goals/start?goal=GitHubJob" not in every
