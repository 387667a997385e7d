"""An update from the job to its pull request: real uv in containers, each worker's own steps, and GitHub's twin.

Nobody plays the database of advisories behind an authority that `uv audit` believes, so that an honest audit is played
here; `test_inside.py` has the real one.
"""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker

from activities.coding.updates import UpdateGate
from activities.coding.working import CodingActivities
from activities.queues import TaskQueue
from activities.sandbox.update_contracts import AUDIT_DEPENDENCIES, AuditDependenciesRequest, DependenciesAudited
from activities.step import implemented, implements
from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.writes import kept_besides_git
from tests.activities.github.at_work import House
from tests.connectors.github.recorded import served
from tests.connectors.github.shop import Shop, git
from tests.sandbox.updates.conftest import Contained
from tests.sandbox.updates.test_contained import PYTHON
from tests.sandbox.updates.working import AFTER, REPOSITORY, committed, lock
from workflows.coding.job.coding_job import CodingJobWorkflow
from workflows.coding.job.goals import CodingJobInput, CodingJobResult
from workflows.contracts import State

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_APP: Final = "Iv23liTestsOfUpdates"


class Audited:
    """An audit that finds nothing."""

    @implements(AUDIT_DEPENDENCIES)
    async def audit_dependencies(self, request: AuditDependenciesRequest) -> DependenciesAudited:
        return DependenciesAudited(tool="uv audit")


@pytest.fixture
def house(contained: Contained, tmp_path: Path) -> Iterator[House]:
    """GitHub's twin with the repository whose lock file is behind."""
    work, repositories = committed(tmp_path / "work", PYTHON), tmp_path / "repositories"
    git("branch", "--move", "main", at=work)
    git("clone", "--quiet", "--bare", str(work), str(repositories / f"{REPOSITORY}.git"), at=tmp_path)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    beside = tmp_path / "beside"
    beside.mkdir()
    app = create_twin(TwinConfig(repositories=repositories, beside=beside, client_id=_APP, public_key=public.decode()))
    shop = Shop(repositories, main=git("rev-parse", "HEAD", at=work), feature="", tag="")
    with served(app, client_id=_APP, private_key=SecretStr(pem.decode())) as twin:
        yield House(twin, shop, contained.store)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """What the twin keeps of the repository besides git."""
    return tmp_path / "beside" / f"{REPOSITORY.replace('/', '.')}.json"


@contextlib.asynccontextmanager
async def working(client: Client, house: House, contained: Contained, *audits: object) -> AsyncGenerator[None]:
    """The workers of a job; `audits` in the place of the real audit."""
    taken = {one.__name__ for made in audits for one in implemented(made)}
    own = [one for one in implemented(contained.steps) if one.__name__ not in taken]
    by_queue: dict[TaskQueue, list[Callable[..., Any]]] = {
        TaskQueue.CONNECTORS: [
            *(step for made in (house.reads, house.asked, house.writes) for step in implemented(made)),
            *implemented(CodingActivities(contained.store)),
            *implemented(UpdateGate(contained.store)),
        ],
        TaskQueue.SANDBOX: [*own, *implemented(contained.sessions), *(s for made in audits for s in implemented(made))],
    }
    async with contextlib.AsyncExitStack() as running:
        await running.enter_async_context(
            Worker(client, task_queue=TaskQueue.GOALS, workflows=[CodingJobWorkflow], max_cached_workflows=10)
        )
        for queue, steps in by_queue.items():
            await running.enter_async_context(Worker(client, task_queue=queue, activities=steps))
        yield


async def ended(client: Client) -> CodingJobResult:
    """What comes of a job for the repository."""
    asked = CodingJobInput(repository=REPOSITORY, kind="deps", test=("python3", "-m", "unittest", "-q"))
    return await client.execute_workflow(
        "CodingJob",
        asked,
        id=f"coding-job-{secrets.token_hex(4)}",
        task_queue=TaskQueue.GOALS,
        result_type=CodingJobResult,
        execution_timeout=timedelta(minutes=2),
    )


async def test_a_job_ends_as_a_pull_request_with_the_new_lock_file_whose_tests_ran(
    client: Client, house: House, contained: Contained, books: Path
) -> None:
    async with working(client, house, contained, Audited()):
        result = await ended(client)
    assert (result.outcome, result.reason) == (State.COMPLETED, None)
    [pull] = kept_besides_git(books).pulls
    assert (pull.title, pull.base, pull.state) == ("Update 3 packages in uv.lock", "main", "open")
    assert git("diff", "--name-only", "main", pull.head, at=house.shop.bare) == "uv.lock"
    assert git("show", f"{pull.head}:uv.lock", at=house.shop.bare) == lock(*AFTER).strip()
    assert '`["python3", "-m", "unittest", "-q"]` with the change: exit status 0' in str(pull.body)
    assert "`hello` | `1.0` | `1.1`" in str(pull.body)


async def test_where_nobody_who_is_believed_knows_of_vulnerabilities_nothing_is_proposed(
    client: Client, house: House, contained: Contained, books: Path
) -> None:
    async with working(client, house, contained):
        result = await ended(client)
    assert result.outcome is State.REFUSED
    assert "it was not audited: the audit could not run" in (result.reason or "")
    assert not books.exists()
    assert git("for-each-ref", "--format=%(refname)", at=house.shop.bare) == "refs/heads/main"
