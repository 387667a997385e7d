"""What the bench prints, and what it keeps."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

from bench.guard import GuardCost
from bench.ratios import Ratio, Spread

RESULTS = Path(__file__).parent / "results"
GUARD_P50_MS, GUARD_P99_MS = 1.0, 10.0


class Machine(BaseModel):
    """Where it was measured; `load` is the mean number of runnable processes of the minute before each end."""

    system: str = Field(default_factory=platform.platform)
    python: str = Field(default_factory=platform.python_version)
    cpus: int = Field(default_factory=lambda: os.cpu_count() or 0)
    load_before: float
    load_after: float


class Measured(BaseModel):
    """What one run of any bench found: when, and where."""

    taken: datetime = Field(default_factory=lambda: datetime.now(UTC))
    machine: Machine


class Report(Measured):
    """One run of the bench."""

    ratios: list[Ratio]
    guard: GuardCost

    def held(self) -> bool:
        """Whether everything that is asked for is so."""
        return all(ratio.held is not False for ratio in self.ratios) and _guard_held(self.guard)


def keep(report: Measured, *, of: str = "") -> Path:
    """Write it down; the file's name is the time, after what it is of."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{of and f'{of}-'}{report.taken:%Y%m%dT%H%M%SZ}.json"
    path.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def where(report: Measured, path: Path) -> str:
    """The last line: on which machine, and where it is kept, as people type it."""
    machine, place = report.machine, path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    load = f"load {machine.load_before:.1f} before, {machine.load_after:.1f} after"
    return f"{machine.cpus} CPUs, {load}; kept in {place}"


def show(report: Report, path: Path) -> None:
    """Print it."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("what", "against", "pairs", "ours", "other", "ratio", "10–90 %", "hold", ""):
        table.add_column(name, justify="left" if name in {"what", "against", ""} else "right")
    for one in report.ratios:
        verdict = {None: "", True: "[green]held[/]", False: "[red]missed[/]"}[one.held]
        between = f"{one.ratio.low:.2f}–{one.ratio.high:.2f}"
        table.add_row(
            one.what, one.against, str(one.pairs), _amount(one.ours, one.unit), _amount(one.other, one.unit),
            f"{one.ratio.median:.2f}", between, str(one.hold or ""), verdict,
        )  # fmt: skip
    console = Console(width=None if os.isatty(1) else 160)
    console.print(table)
    guard = report.guard
    verdict = "[green]held[/]" if _guard_held(guard) else "[red]missed[/]"
    console.print(
        f"\nguard per step, {guard.steps} steps: the step waits p50 {guard.waits_p50:.2f} ms, "
        f"p99 {guard.waits_p99:.2f} ms (hold: p50 < {GUARD_P50_MS:g} ms, p99 < {GUARD_P99_MS:g} ms) {verdict}; "
        f"with the log lines p50 {guard.busy_p50:.2f} ms, p99 {guard.busy_p99:.2f} ms",
        soft_wrap=True,
    )
    console.print(where(report, path), soft_wrap=True)


def _guard_held(guard: GuardCost) -> bool:
    return guard.waits_p50 < GUARD_P50_MS and guard.waits_p99 < GUARD_P99_MS


def _amount(spread: Spread, unit: str) -> str:
    return f"{spread.median * 1000:.1f} ms" if unit == "s" else f"{spread.median:.1f} {unit}"
