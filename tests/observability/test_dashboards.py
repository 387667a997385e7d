"""The dashboards that Grafana reads are those of the code, show every metric, and can be narrowed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from observability import names
from observability.dashboards.__main__ import BOARDS, FOLDER, write
from observability.dashboards.board import Board, Graph, Logs, Stat, Table
from observability.dashboards.render import rendered

_SELECTED = re.compile(r"\b((?:banksman|temporal|process)_\w+|up)(\{[^}]*\})?(?=[^\w:]|$)")
_EVERY = sorted(str(value) for name, value in vars(names).items() if name.startswith("METRIC_"))


def _queries(board: Board) -> Iterator[str]:
    for panel in board.panels:
        match panel:
            case Stat() | Table():
                yield panel.query
            case Graph():
                yield from panel.queries.values()
            case Logs():
                pass


def _shown() -> str:
    return "\n".join(query for board in BOARDS for query in _queries(board))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_file_is_what_the_code_renders(board: Board) -> None:
    assert (FOLDER / f"{board.name}.json").read_text(encoding="utf-8") == rendered(board), (
        "write the dashboards anew: .venv/bin/python -m observability.dashboards"
    )


def test_no_other_file_is_there() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {board.name for board in BOARDS}


def test_writing_removes_what_is_no_board_any_more(tmp_path: Path) -> None:
    (tmp_path / "earlier.json").write_text("{}")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{board.name}.json" for board in BOARDS}


@pytest.mark.parametrize("metric", _EVERY)
def test_every_metric_is_on_a_dashboard(metric: str) -> None:
    assert re.search(rf"\b{metric}(?:_bucket|_count|_sum)?\b", _shown())


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_query_is_narrowed_by_what_its_board_offers(board: Board) -> None:
    for query in _queries(board):
        for name, labels in _SELECTED.findall(query):
            assert 'environment=~"$environment"' in labels, (name, query)
    used = set(re.findall(r"=~\"\$(\w+)(?:\.\*)?\"", " ".join(_queries(board))))
    assert used == {"environment", *board.variables}
    read = cast("dict[str, dict[str, list[dict[str, object]]]]", json.loads(rendered(board)))
    offered = {str(one["name"]): one for one in read["templating"]["list"]}
    assert set(offered) == used
    # What has no such label is shown too, as long as nobody chooses.
    assert {one["allValue"] for one in offered.values()} == {".*"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels_do_not_lie_on_each_other_and_say_what_they_show(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    panels = cast("list[dict[str, object]]", json.loads(rendered(board))["panels"])
    for panel in panels:
        place = cast("dict[str, int]", panel["gridPos"])
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        assert str(panel["description"]).endswith(".")
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
