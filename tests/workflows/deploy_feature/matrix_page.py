"""The page of the matrix, which shows how each cell ended.

`python -m tests.workflows.deploy_feature.matrix_page` writes it.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from temporalio.client import Client

from activities.guard.key_ring import KeyRing
from deploy.ending import run_to_the_end
from deploy.temporal import register_search_attributes
from tests.temporal_server import start_server
from tests.workflows.deploy_feature.goals_killed import GoalsKilled
from tests.workflows.deploy_feature.matrix import Found, Matrix
from tests.workflows.deploy_feature.mishaps import (
    AWAY,
    GOALS_AFTER,
    GOALS_IN,
    KILLS,
    Taken,
    errors_of_engines,
    faults_of_twins,
)
from tests.workflows.deploy_feature.town import Town, twins

PAGE: Final = Path(__file__).parents[3] / "docs" / "deploy-matrix.md"
_HEAD: Final = """\
# What a deployment survives

Written by `python -m tests.workflows.deploy_feature.matrix_page`. `tests/workflows/deploy_feature/test_matrix.py` runs
every cell and holds this page to it.

Each line is a step of an honest run of [`DeployNewFeature`](how-to/deploy-a-feature.md) with one environment, in the
order in which that run took them; what it took several times has its number. One thing happens to the step: its worker
is killed before it, in it when its effect is done and its answer has not arrived, or right after it; the goals worker
is killed, a process of its own by SIGKILL, while it waits for the step or before it heard the answer; or its provider
fails once, in every way its twin can; or it stays away until somebody has mended it. Faults of a step that was taken
several times meet the first and the last of them.

GitHub and the service's page are twins over HTTP, with real git. The container engine is played, and fails with every
error of its tree. However a line ends: the service was updated at most once, the pull request merged at most once, with
one comment, and no check run twice; no goal, approval or lock is left, and of tokens those of killed attempts alone,
which end by their own time.

The processes of a running environment are killed by SIGKILL while the sample service is deployed for real, in
`tests/stack/test_killed.py`: every worker, the gateway, Temporal, OpenBao and the twins of GitHub and Slack. Those of
Neon, Redis and Qdrant forget what they had with their process; then the goal ends as refused, with nothing changed.

"""


def table(honest: Iterable[Taken], found: Found) -> str:
    """For people: a line a step, and in it what happens by how it ends."""
    by_step: dict[Taken, dict[str, list[str]]] = {}
    every = (*KILLS, GOALS_IN, GOALS_AFTER, *faults_of_twins(), *errors_of_engines(), AWAY)
    for (step, what), ended in sorted(found.items(), key=lambda one: every.index(one[0][1])):
        by_step.setdefault(step, {}).setdefault(ended.end, []).append(what)
    lines = ["| step | how it ends, by what happened |", "|---|---|"]
    lines += [f"| `{step}` | {_told(by_step[step])} |" for step in honest if step in by_step]
    return _HEAD + "\n".join(lines) + "\n"


def _told(ends: Mapping[str, Sequence[str]]) -> str:
    return "<br>".join(f"**{end}**: {', '.join(happened)}" for end, happened in ends.items())


@contextlib.asynccontextmanager
async def kept_fresh(keys: KeyRing) -> AsyncGenerator[None]:
    """As a process keeps them: all cells together may take longer than keys are good for that nobody reads again."""
    await keys.refresh()
    keeping = asyncio.create_task(keys.keep_fresh())
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


@contextlib.asynccontextmanager
async def settled(client: Client, folder: Path) -> AsyncGenerator[Town]:
    """Twins and workers on this server, all but those for goals."""
    with twins(folder) as there:
        town = Town(client, folder, there)
        async with kept_fresh(town.keys), town.systems():
            yield town


async def steps_met(town: Town) -> Matrix:
    """The honest run, and every cell in which a provider fails, or the worker of a step is killed."""
    matrix = Matrix(town)
    async with town.goals():
        await matrix.run()
    return matrix


@contextlib.asynccontextmanager
async def goals_killed(matrix: Matrix) -> AsyncGenerator[None]:
    """Every cell in which the goals worker is killed; there is one again afterwards."""
    await GoalsKilled(matrix).run(matrix.steps)
    async with matrix.town.goals():
        yield


async def _write() -> None:
    async with await start_server() as environment:
        await register_search_attributes(environment.client)
        with tempfile.TemporaryDirectory() as folder:
            async with settled(environment.client, Path(folder)) as town:
                matrix = await steps_met(town)
                async with goals_killed(matrix):
                    PAGE.write_text(table(matrix.honest.taken, matrix.found))


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(_write()))
