"""What `bench.approvals` prints, and what it keeps."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console

from bench.ratios import Ratio, pairwise, percentile, spread
from bench.report import Machine, Measured, where


class At(BaseModel):
    """One percentile of both sides, in seconds."""

    ours: float
    other: float

    @classmethod
    def of(cls, ours: Sequence[float], other: Sequence[float], share: float) -> "At":
        """That percentile of each."""
        return cls(ours=percentile(ours, share), other=percentile(other, share))

    def __str__(self) -> str:
        return f"{self.ours * 1000:.0f} ms against {self.other * 1000:.1f} ms: {self.ours / self.other:.2f}"


class Parts(BaseModel):
    """One decision, in seconds.

    Attributes:
        signed: From the click until the decision is described on the server and signed.
        resumed: From there until the goal, with its answer, has asked for the next step.
        begun: From there until that step begins.
    """

    signed: float
    resumed: float
    begun: float

    @property
    def whole(self) -> float:
        """From the click to the step."""
        return self.signed + self.resumed + self.begun


class Waiting(Measured):
    """One run.

    Attributes:
        approvals: How many waited.
        memory: Of the goals worker that has them, against one without work.
        resumed: From a signed decision to the resumed goal, against a bare Update, pair by pair.
        p50: Of both, each by itself.
        p99: The same.
        parts: Medians.
        whole_p95: From a click to its step.
    """

    approvals: int
    memory: Ratio
    resumed: Ratio
    p50: At
    p99: At
    parts: Parts
    whole_p95: float

    @classmethod
    def of(
        cls, machine: Machine, *, approvals: int, memory: Ratio, decided: Sequence[Parts], updated: Sequence[float]
    ) -> "Waiting":
        """From what was measured, in seconds."""
        resumed = [one.resumed for one in decided]
        pairs = Ratio(
            what="from decision to resumed goal", against="a bare Update", unit="s", pairs=len(resumed),
            ours=spread(resumed), other=spread(updated), ratio=spread(pairwise(resumed, updated)),
        )  # fmt: skip
        p50, p99 = (At.of(resumed, updated, share) for share in (0.5, 0.99))
        parts = Parts(
            signed=percentile([one.signed for one in decided], 0.5),
            resumed=percentile(resumed, 0.5),
            begun=percentile([one.begun for one in decided], 0.5),
        )
        return cls(
            machine=machine, approvals=approvals, memory=memory, resumed=pairs, p50=p50, p99=p99, parts=parts,
            whole_p95=percentile([one.whole for one in decided], 0.95),
        )  # fmt: skip


def show_waiting(report: Waiting, path: Path) -> None:
    """Print it."""
    memory, resumed = report.memory, report.resumed
    megabytes = f"{memory.ours.median:.0f} MiB against {memory.other.median:.0f} MiB without work"
    parts = report.parts
    split = (
        f"{_ms(parts.signed)} until it is signed, {_ms(parts.resumed)} until the goal asks for its step, "
        f"{_ms(parts.begun)} until that begins"
    )
    told = (
        f"{report.approvals} approvals wait, each with its goal",
        f"  goals worker's memory      {megabytes}: {memory.ratio.median:.2f} ({_between(memory)})",
        f"  from decision to goal p50  {report.p50}; of the pairs {resumed.ratio.median:.2f} ({_between(resumed)})",
        f"  from decision to goal p99  {report.p99}",
        f"  from click to step p95     {_ms(report.whole_p95)}; at the median {split}",
        f"  {resumed.pairs} decisions, each beside a bare Update",
        where(report, path),
    )
    console = Console(width=None, highlight=False)
    for line in told:
        console.print(line, soft_wrap=True, markup=False)


def _between(ratio: Ratio) -> str:
    return f"10–90 %: {ratio.ratio.low:.2f}–{ratio.ratio.high:.2f}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
