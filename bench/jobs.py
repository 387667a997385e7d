"""Whether jobs that people ask for on GitHub are done, once each, whatever happens: `python -m bench.jobs`.

Everything is real but the clouds: Temporal, OpenBao, the workers as processes under their supervisor, two gateways
behind a balancer. GitHub's twin delivers its webhooks to it over a line that loses, doubles and delays them, and only
the sweep has sent again what was lost. Afterwards the twin's books are held against what was asked for.

Three parts: restarts one after another while deliveries come; a flood of deliveries; and jobs on a very bad day.
"""

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Final

from bench.jobs_asked import People
from bench.jobs_days import bad_day, flood, rolling, until_calm
from bench.jobs_place import place
from bench.jobs_report import Jobs, show_jobs
from bench.report import Machine, keep
from deploy.ending import run_to_the_end


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done.

    Attributes:
        rolls: How often everything is restarted in a row.
        flood: Deliveries of the flood, in `flood_seconds`, and `flood_jobs` among them.
        jobs: Jobs of the bad day, asked for in `jobs_seconds`.
    """

    rolls: int
    flood: int
    flood_seconds: float
    flood_jobs: int
    jobs: int
    jobs_seconds: float


FULL: Final = Size(rolls=3, flood=2000, flood_seconds=60, flood_jobs=10, jobs=150, jobs_seconds=300)
SHORT: Final = Size(rolls=1, flood=300, flood_seconds=9, flood_jobs=4, jobs=30, jobs_seconds=120)


async def bench(size: Size, *, coding: int = 0) -> Jobs:
    """Start everything, do it all, and end everything.

    Args:
        size: How much.
        coding: Jobs of the bad day that a scripted model does in a sandbox.
    """
    before = os.getloadavg()[0]
    say("starting the embedded environment, and a second gateway")
    async with place(sandbox=coding > 0) as here:
        people = People(here)
        await people.open_issues(size.flood_jobs + size.jobs)
        say(f"everything restarted {size.rolls} times, one process after another")
        rolled = await rolling(here, size.rolls)
        await until_calm(here)
        say(f"{size.flood} deliveries within {size.flood_seconds:.0f} s")
        flooded = await flood(here, people, count=size.flood, within=size.flood_seconds, jobs=size.flood_jobs)
        await until_calm(here)
        say(f"{size.jobs} jobs asked for within {size.jobs_seconds:.0f} s of a bad day")
        people.coding = coding
        account, answers = await bad_day(here, people, jobs=size.jobs, within=size.jobs_seconds, say=say)
        met = {str(mishap): times for mishap, times in here.line.met.items()}
    machine = Machine(load_before=before, load_after=os.getloadavg()[0])
    return Jobs(machine=machine, rolling=rolled, flood=flooded, jobs=account, answers=answers, line=met)


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"» {line}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description="Measure whether jobs are done, once.")
    parser.add_argument("--short", action="store_true", help="A quick look: fewer of everything.")
    parser.add_argument("--coding", type=int, default=0, help="Jobs in a sandbox, for which Docker has to be there.")
    given = parser.parse_args()
    report = asyncio.run(bench(SHORT if given.short else FULL, coding=given.coding))
    show_jobs(report, keep(report, of="jobs"))
    return 0 if report.held() else 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
