"""An SVG picture with panels, lines and words in it. Nothing that is written in it is obeyed by whoever shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

PLAIN: Final = "#ccccdc"
DIM: Final = "#8e8ea0"
FAINT: Final = "#2c3235"
LETTER: Final = 6.1
"""Pixels of a letter of small text."""
_BACKGROUND: Final = "#111217"
_PANEL: Final = "#181b1f"


@dataclass(frozen=True)
class Box:
    """Where a panel is, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Picture:
    """An SVG that is being drawn."""

    def __init__(self, width: float, height: float) -> None:
        self._root = ET.Element(
            "svg",
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {width:g} {height:g}",
            width=f"{width:g}",
            height=f"{height:g}",
            role="img",
        )
        self._root.set("font-family", "Inter, Helvetica, Arial, sans-serif")
        self._add("rect", width=width, height=height, fill=_BACKGROUND)

    def frame(self, box: Box) -> None:
        """A panel's own ground."""
        self._add("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=3, fill=_PANEL, stroke=FAINT)

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, width: float = 1) -> None:
        """A line through these."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        made = self._add("polyline", points=path, fill="none", stroke=colour)
        made.set("stroke-width", f"{width:g}")

    def text(  # noqa: PLR0913 - how a text looks
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        colour: str = PLAIN,
        weight: str = "",
        middle: bool = False,
        end: bool = False,
        width: float | None = None,
    ) -> None:
        """Words, cut where they would leave their room."""
        most = len(text) if width is None else max(1, int(width / (LETTER * size / 11)))
        made = self._add("text", x=round(x, 1), y=round(y, 1), fill=colour)
        made.set("font-size", f"{size:g}")
        if weight:
            made.set("font-weight", weight)
        if middle or end:
            made.set("text-anchor", "middle" if middle else "end")
        clean = "".join(letter if letter.isprintable() else " " for letter in text)
        made.text = clean if len(clean) <= most else f"{clean[: most - 1]}…"

    def none(self, box: Box) -> None:
        """There is nothing to show."""
        self.text(box.x + box.width / 2, box.y + box.height / 2 + 8, "none", size=13, colour=DIM, middle=True)

    def svg(self, title: str) -> str:
        """The file's text."""
        said = ET.Element("title")
        said.text = title
        self._root.insert(0, said)
        ET.indent(self._root, space="")
        return ET.tostring(self._root, encoding="unicode") + "\n"

    def _add(self, kind: str, **attributes: float | str) -> ET.Element:
        named = {name: value if isinstance(value, str) else f"{value:g}" for name, value in attributes.items()}
        return ET.SubElement(self._root, kind, named)
