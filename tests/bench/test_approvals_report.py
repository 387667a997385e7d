"""What the bench of approvals tells: percentiles of each side, and ratios of neighbours."""

from pathlib import Path

import pytest

from bench.approvals_report import Parts, Waiting, show_waiting
from bench.ratios import Ratio, pairwise, spread
from bench.report import Machine

MEMORY = Ratio(
    what="goals worker's memory",
    against="one without work",
    unit="MiB",
    pairs=2,
    ours=spread([300.0, 300.0]),
    other=spread([150.0, 150.0]),
    ratio=spread(pairwise([300.0, 300.0], [150.0, 150.0])),
)


def report() -> Waiting:
    resumed = [0.1] * 98 + [0.2, 0.9]
    decided = [Parts(signed=0.02, resumed=one, begun=0.03) for one in resumed]
    updated = [0.01] * 50 + [0.02] * 50
    machine = Machine(load_before=0.1, load_after=1.0)
    return Waiting.of(machine, approvals=1000, memory=MEMORY, decided=decided, updated=updated)


def test_each_side_has_its_own_percentiles_and_neighbours_make_the_ratio() -> None:
    told = report()
    assert (told.p50.ours, told.p50.other) == pytest.approx((0.1, 0.015))
    assert (told.p99.ours, told.p99.other) == pytest.approx((0.207, 0.02))
    assert told.resumed.pairs == 100
    assert (told.parts.whole, told.whole_p95) == pytest.approx((0.15, 0.15))
    assert (told.resumed.ratio.low, told.resumed.ratio.high) == pytest.approx((5.0, 10.0))


def test_it_is_kept_whole_and_told_in_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = report()
    assert Waiting.model_validate_json(told.model_dump_json()) == told
    show_waiting(told, tmp_path / "kept.json")
    said = capsys.readouterr().out
    for part in (
        "1000 approvals wait",
        "300 MiB against 150 MiB",
        ": 2.00 (",
        "p99",
        "kept.json",
        "20 ms until it is signed",
    ):
        assert part in said
