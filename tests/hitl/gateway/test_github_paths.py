"""A pull request of a monorepo begins the tasks of its files, and its check runs tell which were left out and why."""

import pytest

from tests.hitl.gateway.commanding import commanding
from tests.hitl.gateway.running import Place
from tests.hitl.github.payloads import pull_payload
from workflows.github.contracts import Done

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIG = """\
version: 1
tasks:
  cart:
    goal: ReadFile
    input: {repository: $repository, path: services/cart/README.md}
triggers:
  - {event: pull_request, paths: [services/cart/, "!*.md"], task: cart}
"""


@pytest.fixture(name="here")
def _one(one: Place) -> Place:
    return one


async def test_a_task_with_paths_begins_only_where_a_changed_file_fits_and_says_else_why_not(here: Place) -> None:
    async with commanding(here, config=CONFIG, changes=("services/mail/a.py", "services/cart/a.md")) as there:
        left = await there.deliver("pull_request", pull_payload())
        assert (left.done, left.goal) == (Done.IGNORED, None), left
        [check] = there.github.checks
        assert (check.name, check.conclusion, check.commit) == ("banksman / ReadFile", "skipped", "b" * 40)
        assert "no changed file matches 'services/cart/', '!*.md'" in check.summary
        there.github.changes = ("services/cart/a.py",)
        begun = await there.deliver("pull_request", pull_payload(number=5))
        assert begun.done is Done.STARTED, begun
        assert [one.filters for one in there.github.matched] == [(("services/cart/", "!*.md"),)] * 2
        await there.hook.client.get_workflow_handle(str(begun.goal)).result()


async def test_a_pull_request_without_such_a_trigger_asks_for_no_files(here: Place) -> None:
    plain = CONFIG.replace('paths: [services/cart/, "!*.md"], ', "")
    async with commanding(here, config=plain) as there:
        begun = await there.deliver("pull_request", pull_payload())
        assert (begun.done, there.github.matched) == (Done.STARTED, [])
        await there.hook.client.get_workflow_handle(str(begun.goal)).result()
