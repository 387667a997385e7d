"""The overhead of Banksman, as ratios measured in one go: `python -m bench`, or `make bench`.

Every comparison takes its two sides in turn, on the same servers, so that a slow minute is slow for both. How to read
the table is told in the documentation. The exit code is 0 when everything is held, and 1 when not.
"""

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass

from temporalio.client import Plugin

from bench.guard import guard_cost
from bench.ratios import Hold, Ratio, pairwise, spread
from bench.report import Machine, Report, keep, show
from bench.sides import Side, Sides, Times, latencies, rates
from bench.system import running
from deploy.ending import run_to_the_end
from observability.setup import Telemetry, TelemetrySettings, configure


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    warm_up: int
    latency_rounds: int
    rate_rounds: int
    goals: int
    in_flight: int
    guard_steps: int


FULL = Size(warm_up=20, latency_rounds=150, rate_rounds=8, goals=120, in_flight=20, guard_steps=3000)
SHORT = Size(warm_up=3, latency_rounds=15, rate_rounds=2, goals=40, in_flight=20, guard_steps=500)


def compared(what: str, sides: tuple[Side, Side], times: Times, *, unit: str, hold: Hold | None) -> Ratio:
    """Ours against another."""
    ours, other = (times[side.name] for side in sides)
    return Ratio(
        what=f"{what}, {sides[0].name}" if sides[0].name != "ours" else what,
        against=sides[1].name,
        unit=unit,
        pairs=len(ours),
        ours=spread(ours),
        other=spread(other),
        ratio=spread(pairwise(ours, other)),
        hold=hold,
    )


async def measure(sides: Sides, size: Size) -> list[Ratio]:
    """All comparisons."""
    say(f"warming up: {size.warm_up} goals on each side")
    await sides.warm_up(size.warm_up)
    say(f"latency: {size.latency_rounds} rounds, one goal at a time")
    one = await latencies(sides.all(), size.latency_rounds)
    say(f"goals per second: {size.rate_rounds} rounds of {size.goals} goals, {size.in_flight} in flight")
    many = await rates(sides.all(), size.rate_rounds, goals=size.goals, in_flight=size.in_flight)
    ours, quiet, bare, single = sides.all()
    latency, rate = "goal latency", "goals per second"
    most, least = Hold(sense="at most", limit=1.3), Hold(sense="at least", limit=0.8)
    telemetry = Hold(sense="at most", limit=1.1)
    return [
        compared(latency, (ours, bare), one, unit="s", hold=most),
        compared(rate, (ours, bare), many, unit="/s", hold=least),
        compared(latency, (ours, quiet), one, unit="s", hold=telemetry),
        compared(latency, (quiet, bare), one, unit="s", hold=None),
        compared(latency, (ours, single), one, unit="s", hold=None),
        compared(rate, (ours, quiet), many, unit="/s", hold=Hold(sense="at least", limit=0.9)),
        compared(rate, (quiet, bare), many, unit="/s", hold=None),
        compared(rate, (ours, single), many, unit="/s", hold=None),
    ]


async def bench(size: Size, *, everything: bool) -> Report:
    """Start everything, measure, and end everything.

    Args:
        size: How much is measured.
        everything: With collector, Prometheus, log store and Jaeger beside our side with telemetry.
    """
    before = os.getloadavg()[0]
    say("measuring the guard by itself")
    guard = await guard_cost(size.guard_steps)
    telemetry: list[Telemetry] = []

    def plugins(traces: str) -> list[Plugin]:
        telemetry.append(configure("bench", settings=TelemetrySettings(otlp_endpoint=traces, log_level="error")))
        return telemetry[0].plugins

    say("starting the embedded environment, and workers of every side")
    async with running(plugins, everything=everything) as system:
        ratios = await measure(Sides.of(system), size)
        for one in telemetry:
            one.shutdown()
    machine = Machine(load_before=before, load_after=os.getloadavg()[0])
    return Report(machine=machine, ratios=ratios, guard=guard)


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"» {line}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the overhead of Banksman as ratios.")
    parser.add_argument("--short", action="store_true", help="A quick look, in about a minute; the spread is wide.")
    parser.add_argument(
        "--observability", action="store_true", help="Telemetry goes through a real collector to every store."
    )
    given = parser.parse_args()
    report = asyncio.run(bench(SHORT if given.short else FULL, everything=given.observability))
    show(report, keep(report))
    return 0 if report.held() else 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
