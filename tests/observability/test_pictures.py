"""The pictures of the dashboards: each panel with its answer, whatever was answered."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from observability.dashboards.__main__ import BOARDS
from observability.dashboards.board import OURS, Board, Graph, Logs, Stat, Table
from observability.dashboards.pictures.answers import Line, Series, as_logs_ql, everything
from observability.dashboards.pictures.drawing import draw, number

PICTURES = Path(__file__).parents[2] / "docs/images/dashboards"
HOSTILE = '</text><script>alert(1)</script>&\x1b[31m"'


@dataclass
class Played:
    """The same answer to every question."""

    series: list[Series] = field(default_factory=list[Series])
    log: list[Line] = field(default_factory=list[Line])

    def now(self, query: str) -> Sequence[Series]:
        return self.series

    def over_time(self, query: str) -> Sequence[Series]:
        return self.series

    def lines(self, query: str) -> Sequence[Line]:
        return self.log


def elements(picture: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter())  # noqa: S314 - our own


def texts(picture: str) -> list[str]:
    return [one.text or "" for one in elements(picture) if one.tag.endswith("}text")]


def lines(picture: str, colour: str) -> int:
    return len([one for one in elements(picture) if one.get("stroke") == colour])


def of(*panels: Stat | Graph | Table | Logs) -> Board:
    return Board(name="x", title="X", what="All.", panels=panels)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_board_can_be_drawn_also_where_there_is_nothing(board: Board) -> None:
    shown = texts(draw(board, Played()))
    assert {panel.title for panel in board.panels} <= set(shown)
    assert shown.count("none") == len(board.panels)


def test_a_number_has_the_colour_of_what_it_means() -> None:
    panels = (Stat(title="A", what=".", query="a", red_from=3), Stat(title="B", what=".", query="b", red_below=5))
    picture = draw(of(*panels), Played([Series({}, ((0, 4.0),))]))
    assert texts(picture).count("4") == 2
    assert picture.count('fill="#f2495c"') == 2
    assert draw(of(*panels), Played([Series({}, ((0, 2.0),))])).count('fill="#73bf69"') == 1


def test_a_graph_names_its_lines_and_breaks_where_there_was_no_number() -> None:
    graph = Graph(title="G", what=".", queries={"{{goal}} p95": "g"}, unit="s")
    points = ((0.0, 1.0), (10.0, 2.0), (20.0, math.nan), (30.0, 60.0), (40.0, 120.0), (50.0, math.inf), (90.0, 3.0))
    picture = draw(of(graph), Played([Series({"goal": "ReadFile"}, points)]))
    assert {"ReadFile p95", "2 min", "1 min", "0 s"} <= set(texts(picture))
    assert lines(picture, "#73bf69") == 4, "two parts, a single one, and the legend's"


def test_a_legend_without_room_says_how_many_there_are() -> None:
    graph = Graph(title="G", what=".", queries={"{{goal}}": "g"})
    many = [Series({"goal": f"GoalNumber{turn}"}, ((0.0, 1.0), (1.0, 1.0))) for turn in range(9)]
    assert [text for text in texts(draw(of(graph), Played(many))) if text.endswith("more")] == ["4 more"]


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    table, log = Table(title="T", what=".", query="t"), Logs(title="L", what=".", query="l")
    played = Played([Series({"goal": HOSTILE}, ((0.0, 1.0),))], [Line("12:00:00", "worker", "error", HOSTILE)])
    picture = draw(of(table, log), played)
    assert "<script" not in picture
    assert "\x1b" not in picture
    assert {"goal", "Value", "12:00:00"} <= set(texts(picture))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "short", "0"),
        (12.0, "short", "12"),
        (1234.0, "short", "1.23 K"),
        (0.314, "percentunit", "31.4%"),
        (0.0042, "s", "4.2 ms"),
        (3599.0, "s", "60 min"),
        (1536.0, "bytes", "1.5 KiB"),
        (math.nan, "s", "none"),
        (math.inf, "s", "none"),
    ],
)
def test_numbers_are_as_people_read_them(value: float, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


def test_every_question_about_lines_can_be_put_to_the_store_that_stands_for_loki() -> None:
    asked = [as_logs_ql(panel.query) for board in BOARDS for panel in board.panels if isinstance(panel, Logs)]
    assert {
        'severity_text:~"^(error|critical|fatal)$"',
        '"a person clicked"',
        '~"(?i)provider|rate" severity_text:~"^(warn|warning|error)$"',
        'service.name:="worker-sandbox"',
    } <= set(asked)
    with pytest.raises(ValueError, match=r"cannot be put to VictoriaLogs from '\| json' on"):
        as_logs_ql(f"{OURS} | json")


def test_everything_is_chosen() -> None:
    assert everything('a{goal=~"$goal"}[$__rate_interval]') == 'a{goal=~".*"}[1m]'


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_picture_in_the_docs_has_the_panels_of_the_board(board: Board) -> None:
    shown = texts((PICTURES / f"{board.name}.svg").read_text(encoding="utf-8"))
    missing = [panel.title for panel in board.panels if panel.title not in shown]
    assert missing == [], "draw them anew: make dashboards"
    assert shown[:2] == [board.title, board.what]


def test_no_other_picture_is_there_and_none_is_large() -> None:
    assert {path.stem for path in PICTURES.iterdir()} == {board.name for board in BOARDS}
    assert [path.name for path in PICTURES.iterdir() if path.stat().st_size > 150_000] == []


def test_every_picture_is_shown_in_the_docs() -> None:
    page = (PICTURES.parents[1] / "how-to/dashboards.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"images/dashboards/(\w+)\.svg", page)) == sorted(board.name for board in BOARDS)
