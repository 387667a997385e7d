"""What asking a language model by our step costs over a bare activity: `python -m bench.model_turn`.

The step leases its key from Vault, keeps to the limits, asks whom the gateway vouched for, writes the audit log and
keeps the transcript; the bare activity has the key in memory, and asks by the same client. Both ask the same twin, in
turn, and the clock is the history's: from when the activity was asked for to its answer. A model of half a second is
faster than most; one that answers at once shows what there is of ours alone.
"""

import argparse
import asyncio
import os
import sys
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
import structlog
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.worker import Worker

from activities.models.contracts import RequestModel
from bench.ratios import Hold, Ratio, pairwise, spread
from bench.report import Machine, Measured, keep, where
from bench.system import Site, bench_environment, embedded
from bench.turn_workflow import QUEUE_TURNS, BenchTurn
from connectors.models.messages import Message, Prompt, Text
from connectors.models.twin.app import TwinConfig
from deploy.ending import run_to_the_end
from workflows.plugin import banksman_plugin
from workflows.runner import sandbox_runner

FULL, SHORT = 60, 10
LIMIT: Final = Hold(sense="at most", limit=1.3)
_BACKEND, _MODEL, _LABEL = "twin-openai", "scripted:1", "public"
_SLOW, _FAST = "Think for half a second.", "Answer at once."
_SCORE: Final = (
    f'cues: [{{when: {{last: "{_SLOW}"}}, say: "yes", fault: {{kind: slow, seconds: 0.5}}}}, {{say: "yes"}}]'
)


class Report(Measured):
    """One run of this bench; ratios in the order in which they are told."""

    ratios: list[Ratio]

    def held(self) -> bool:
        """Whether what is asked for is so."""
        return all(one.held is not False for one in self.ratios)


@dataclass(frozen=True)
class Turns:
    """Takes turns, on either side."""

    client: Client

    async def of(self, words: str, *, bare: bool) -> float:
        """Seconds of one."""
        prompt = Prompt(messages=(Message(role="user", parts=(Text(text=words),)),), max_tokens=16)
        request = RequestModel(backend=_BACKEND, model=_MODEL, labels=(_LABEL,), prompt=prompt)
        name = f"bench-turn-{uuid.uuid4()}"
        handle = await self.client.start_workflow(BenchTurn.run, args=[request, bare], id=name, task_queue=QUEUE_TURNS)
        await handle.result()
        return seconds_of((await handle.fetch_history()).events)

    async def measured(self, words: str, rounds: int) -> tuple[list[float], list[float]]:
        """Ours and the bare ones, in turn; who begins changes from round to round."""
        ours: list[float] = []
        other: list[float] = []
        for number in range(rounds):
            for bare in (number % 2 == 0, number % 2 == 1):
                (other if bare else ours).append(await self.of(words, bare=bare))
        return ours, other


def seconds_of(events: Sequence[HistoryEvent]) -> float:
    """From when the one activity of a history was asked for to its answer.

    Raises:
        ValueError: There is none that was answered.
    """
    for event in events:
        if event.HasField("activity_task_completed_event_attributes"):
            asked = events[event.activity_task_completed_event_attributes.scheduled_event_id - 1]
            took: timedelta = event.event_time.ToDatetime() - asked.event_time.ToDatetime()
            return took.total_seconds()
    raise ValueError("no activity of this history was answered")


@asynccontextmanager
async def running() -> AsyncGenerator[Turns]:
    """An embedded environment with its own models worker, and the bench's workers beside it."""
    async with AsyncExitStack() as stack:
        site = stack.enter_context(embedded("--no-sandbox"))
        await _rewrite(site)
        address, namespace = site.state.temporal.address, site.state.temporal.namespace
        twin = TwinConfig.model_validate_json((site.folder.twins / "models.json").read_bytes())
        key = site.folder.private("bench-key", twin.openai.encode())
        words = ["--address", address, "--namespace", namespace, "--models", str(site.folder.models)]
        site.start("bare", ["bench.bare_turn", *words, "--key", str(key)], bench_environment({}))
        client = await Client.connect(address, namespace=namespace, plugins=[banksman_plugin()])
        await stack.enter_async_context(
            Worker(client, task_queue=QUEUE_TURNS, workflows=[BenchTurn], workflow_runner=sandbox_runner())
        )
        yield Turns(client)
        site.check()


async def _rewrite(site: Site) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.put(f"{site.state.twins['models'].url}/_twin/score", content=_SCORE)
        answer.raise_for_status()


async def _measure(rounds: int) -> Report:
    before = os.getloadavg()[0]
    async with running() as turns:
        await turns.measured(_FAST, 5)  # warming up
        slow, fast = await turns.measured(_SLOW, rounds), await turns.measured(_FAST, rounds)
    machine = Machine(load_before=before, load_after=os.getloadavg()[0])
    return Report(
        machine=machine,
        ratios=[
            _ratio("a turn of a model of 0.5 s", *slow, hold=LIMIT),
            _ratio("a turn of a model that answers at once", *fast),
        ],
    )


def _ratio(what: str, ours: list[float], other: list[float], hold: Hold | None = None) -> Ratio:
    ratio = spread(pairwise(ours, other))
    return Ratio(
        what=what, against="a bare activity", unit="s",
        pairs=len(ours), ours=spread(ours), other=spread(other), ratio=ratio, hold=hold,
    )  # fmt: skip


def told(report: Report) -> list[str]:
    """What is printed, but for the last line."""
    lines: list[str] = []
    for one in report.ratios:
        verdict = "" if one.held is None else f" (hold {one.hold}) {'held' if one.held else 'missed'}"
        took = f"{one.ours.median * 1000:.0f} ms against {one.other.median * 1000:.0f} ms"
        between = f"{one.ratio.low:.2f}–{one.ratio.high:.2f}"
        lines.append(
            f"  {one.what + ' against ' + one.against:<60} {took}: {one.ratio.median:.2f} ({between}){verdict}"
        )
    return lines


def main() -> int:
    """Measure; 0 where it is held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.model_turn", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--short", action="store_true", help=f"{SHORT} turns on each side instead of {FULL}")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    report = asyncio.run(_measure(SHORT if given.short else FULL))
    print("\n".join(told(report)))
    print(where(report, keep(report, of="model-turn")))
    return 0 if report.held() else 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
