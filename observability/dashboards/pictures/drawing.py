"""From a board and what was answered to an SVG picture. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, Protocol

from observability.dashboards.board import COUNT, Board, Graph, Logs, Panel, Stat, Table
from observability.dashboards.pictures.answers import Line, Series
from observability.dashboards.pictures.canvas import DIM, FAINT, LETTER, PLAIN, Box, Picture
from observability.dashboards.render import placed

_COLUMN: Final = 50
_ROW: Final = 30
_GAP: Final = 6
_HEAD: Final = 56
_COLOURS: Final = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#c4a3f0")
_GREEN, _RED = "#73bf69", "#f2495c"
_LEGEND: Final = 6


class Asked(Protocol):
    """What answers the questions of panels."""

    def now(self, query: str) -> Sequence[Series]:
        """What there is now."""
        ...

    def over_time(self, query: str) -> Sequence[Series]:
        """What there was."""
        ...

    def lines(self, query: str) -> Sequence[Line]:
        """The newest lines of the log."""
        ...


def draw(board: Board, asked: Asked) -> str:
    """The whole board as SVG."""
    places = list(placed(board.panels))
    height = _HEAD + _GAP + max(place.y + place.h for _, place in places) * _ROW
    picture = Picture(24 * _COLUMN + _GAP, height)
    picture.text(14, 24, board.title, size=18, weight="600")
    picture.text(14, 44, board.what, size=12, colour=DIM)
    for panel, place in places:
        box = Box(place.x * _COLUMN + _GAP, _HEAD + place.y * _ROW, place.w * _COLUMN - _GAP, place.h * _ROW - _GAP)
        picture.frame(box)
        picture.text(box.x + 10, box.y + 18, panel.title, size=12, weight="500", width=box.width - 20)
        _draw_panel(picture, box, panel, asked)
    return picture.svg(f"{board.title}: {board.what}")


def number(value: float, unit: str) -> str:
    """A number as people read it."""
    if not math.isfinite(value):
        return "none"
    if unit == "percentunit":
        return f"{_digits(100 * value)}%"
    if unit == "s":
        return _time(value)
    if unit == "bytes":
        return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB"))
    return _scaled(value, 1000, ("", "K", "M", "G"))


def _draw_panel(picture: Picture, box: Box, panel: Panel, asked: Asked) -> None:
    match panel:
        case Stat():
            _stat(picture, box, panel, asked.now(panel.query))
        case Graph():
            found = [(legend, one) for legend, query in panel.queries.items() for one in asked.over_time(query)]
            _graph(picture, box, panel, [(_legend(legend, one.labels), one) for legend, one in found])
        case Table():
            _table(picture, box, asked.now(panel.query))
        case Logs():
            _logs(picture, box, asked.lines(panel.query))


def _stat(picture: Picture, box: Box, panel: Stat, found: Sequence[Series]) -> None:
    value = found[0].points[-1][1] if found else math.nan
    bad = (panel.red_from is not None and value >= panel.red_from) or (
        panel.red_below is not None and value < panel.red_below
    )
    judged = panel.red_from is not None or panel.red_below is not None
    colour = DIM if not math.isfinite(value) else _RED if bad else _GREEN if judged else PLAIN
    middle = box.x + box.width / 2
    exact = round(value) if panel.unit == COUNT and math.isfinite(value) else value
    picture.text(middle, box.y + box.height / 2 + 24, number(exact, panel.unit), size=34, colour=colour, middle=True)


def _graph(picture: Picture, box: Box, panel: Graph, found: Sequence[tuple[str, Series]]) -> None:
    shown = [(name, one) for name, one in found if any(math.isfinite(value) for _, value in one.points)]
    if not shown:
        picture.none(box)
        return
    left, top, right, bottom = box.x + 56, box.y + 32, box.x + box.width - 14, box.y + box.height - 44
    times = [moment for _, one in shown for moment, _ in one.points]
    begin, end = min(times), max(times)
    most = max((value for _, one in shown for _, value in one.points if math.isfinite(value)), default=0) or 1
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - top)
        picture.line([(left, y), (right, y)], FAINT)
        picture.text(left - 6, y + 4, number(share * most, panel.unit), size=10, colour=DIM, end=True)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across = (point[0] - begin) / (end - begin) if end > begin else 1.0
        return left + across * (right - left), bottom - min(point[1] / most, 1) * (bottom - top)

    for turn, (_, one) in enumerate(shown):
        for part in _unbroken(one.points):
            picture.line([place(point) for point in part], _COLOURS[turn % len(_COLOURS)], width=1.5)
    _draw_legend(picture, box, [name for name, _ in shown])


def _draw_legend(picture: Picture, box: Box, names: Sequence[str]) -> None:
    x, y = box.x + 14, box.y + box.height - 12
    room = box.x + box.width - 70
    for turn, name in enumerate(names):
        if turn == _LEGEND or x + len(name) * LETTER > room:
            picture.text(x, y, f"{len(names) - turn} more", size=10, colour=DIM)
            return
        picture.line([(x, y - 4), (x + 12, y - 4)], _COLOURS[turn % len(_COLOURS)], width=3)
        picture.text(x + 16, y, name, size=10, colour=PLAIN)
        x += 34 + len(name) * LETTER


def _table(picture: Picture, box: Box, found: Sequence[Series]) -> None:
    if not found:
        picture.none(box)
        return
    names = sorted({name for one in found for name in one.labels})
    across = (box.width - 20) / (len(names) + 1)
    rows = [[*names, "Value"]]
    rows += [[*(one.labels.get(name, "") for name in names), number(one.points[-1][1], "short")] for one in found]
    _rows(picture, box, rows, [across] * (len(names) + 1))


def _logs(picture: Picture, box: Box, found: Sequence[Line]) -> None:
    if not found:
        picture.none(box)
        return
    rest = box.width - 20 - 240
    _rows(
        picture, box, [[one.time, one.level, one.service, one.text] for one in found], [70, 60, 110, rest], head=False
    )


def _rows(
    picture: Picture, box: Box, rows: Iterable[Sequence[str]], widths: Sequence[float], *, head: bool = True
) -> None:
    for turn, row in enumerate(rows):
        y = box.y + 40 + turn * 17
        if y > box.y + box.height - 8:
            return
        x = box.x + 10
        for text, width in zip(row, widths, strict=True):
            colour = DIM if head and turn == 0 else PLAIN
            picture.text(x, y, text, size=10, colour=colour, width=width - 6)
            x += width


def _legend(template: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        template = template.replace(f"{{{{{name}}}}}", value)
    return template


def _unbroken(points: Iterable[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Where there was no number, a line breaks; a single one is drawn as a short one."""
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if not math.isfinite(point[1]):
            found.append([])
        else:
            found[-1].append(point)
    steps = [later[0] - sooner[0] for part in found for sooner, later in pairwise(part)]
    step = min(steps, default=1.0)
    parts: list[list[tuple[float, float]]] = []
    for part in found:
        cut = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(part)) if b[0] - a[0] > 1.5 * step), len(part)]
        parts += [part[begin:end] for begin, end in pairwise(cut) if end > begin]
    return [[*part, (part[0][0] + step / 2, part[0][1])] if len(part) == 1 else part for part in parts]


def _time(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            return f"{_digits(seconds / size)} {unit}"
    return f"{_digits(1000 * seconds)} ms" if seconds else "0 s"


def _scaled(value: float, by: float, units: Sequence[str]) -> str:
    for unit in units[:-1]:
        if abs(value) < by:
            return f"{_digits(value)} {unit}".strip()
        value /= by
    return f"{_digits(value)} {units[-1]}"


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004
