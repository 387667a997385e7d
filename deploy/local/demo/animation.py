"""Makes a moving picture of a demonstration, from what it said and when: `python -m deploy.local.demo.animation`.

The picture is an SVG that moves by its style sheet alone: it needs no script, and whoever has asked for less motion
sees all of it at once. Waits are shortened; nothing else is changed.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Final

from rich.text import Text

_COLUMNS: Final = 116
_CHARACTER: Final = 7.83
_LINE: Final = 19
_SIDE: Final = 22
_TOP: Final = 58
_LONGEST_WAIT: Final = 1.4
"""Seconds: what takes longer is shown so long."""
_FIRST: Final = 0.6
_HOLD: Final = 6.0
"""Seconds at the end, in which all can be read."""
_COLOURS: Final = {
    "bold": "b",
    "dim": "d",
    "green": "g",
    "red": "r",
    "yellow": "y",
    "magenta": "m",
}
_STYLE: Final = """
.bg{fill:#12161d}.bar{fill:#1d2433}
text{font:13px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e4e9f1;white-space:pre}
.t{fill:#9aa7ba}.b{font-weight:700}.d{fill:#8290a5}.g{fill:#5fd3a6}.r{fill:#ff9a91}.y{fill:#f5c763}.m{fill:#d7a6ff}
"""


@dataclass(frozen=True)
class Said:
    """A line, and when it was said.

    Attributes:
        at: Seconds since the beginning.
        line: In rich's markup.
    """

    at: float
    line: str


def recorded(file: Path) -> list[Said]:
    """A recording, as `--record` keeps it; a line that breaks is several."""
    found: list[Said] = []
    for text in file.read_text(encoding="utf-8").splitlines():
        at, line = json.loads(text)
        found += [Said(float(at), part) for part in str(line).split("\n")]
    return found


def shortened(said: Sequence[Said]) -> list[float]:
    """When each line is shown, in seconds."""
    shown, now, before = list[float](), _FIRST, said[0].at if said else 0.0
    for one in said:
        now += min(one.at - before, _LONGEST_WAIT)
        before = one.at
        shown.append(now)
    return shown


def render(said: Sequence[Said], *, title: str) -> str:
    """The picture, as SVG.

    Args:
        said: What is shown.
        title: For who does not see it.
    """
    times = shortened(said)
    lasts = (times[-1] if times else 0.0) + _HOLD
    width, height = round(2 * _SIDE + _COLUMNS * _CHARACTER), _TOP + _LINE * len(said) + 6
    name, size = escape(title), f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{name}">',
            f"<title>{name}</title>",
            f"<style>{_STYLE}{_motion(times, lasts)}</style>",
            f'<rect class="bg" width="{width}" height="{height}" rx="10"/>',
            f'<path class="bar" d="M0 10a10 10 0 0 1 10-10h{width - 20}a10 10 0 0 1 10 10v26h-{width}z"/>',
            *(f'<circle cx="{22 + 20 * n}" cy="18" r="6" fill="{c}"/>' for n, c in enumerate(_BUTTONS)),
            f'<text class="t" x="{width // 2}" y="23" text-anchor="middle">make demo</text>',
            *(_line(number, one.line) for number, one in enumerate(said)),
            "</svg>\n",
        ]
    )


_BUTTONS: Final = ("#ff9a91", "#f5c763", "#5fd3a6")


def _motion(times: Sequence[float], lasts: float) -> str:
    """Each line is there from its moment on, again and again."""
    rules = [
        f"@keyframes k{number}{{0%{{opacity:0}}{100 * at / lasts:.2f}%,100%{{opacity:1}}}}"
        f".l{number}{{animation:k{number} {lasts:.1f}s step-end infinite}}"
        for number, at in enumerate(times)
    ]
    return "@media (prefers-reduced-motion:no-preference){" + "".join(rules) + "}"


def _line(number: int, line: str) -> str:
    y = _TOP + _LINE * number
    return f'<text class="l{number}" x="{_SIDE}" y="{y}" xml:space="preserve">{"".join(_parts(line))}</text>'


def _parts(line: str) -> Iterator[str]:
    """The line in pieces of one style each, and no longer than it may be."""
    text = Text.from_markup(line)
    text.truncate(_COLUMNS, overflow="ellipsis")
    cuts = sorted({0, len(text.plain), *(edge for span in text.spans for edge in (span.start, span.end))})
    for start, end in pairwise(cuts):
        words = [str(span.style) for span in text.spans if span.start <= start and end <= span.end]
        classes = " ".join(dict.fromkeys(_COLOURS[one] for word in words for one in word.split() if one in _COLOURS))
        piece = escape(text.plain[start:end])
        yield f'<tspan class="{classes}">{piece}</tspan>' if classes else piece


def main() -> None:
    """Read a recording, and write its picture."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.demo.animation", description=__doc__)
    parser.add_argument("recording", type=Path, help="as `python -m deploy.local.demo --record FILE` keeps it")
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    given.picture.write_text(render(recorded(given.recording), title=TITLE), encoding="utf-8")


TITLE: Final = (
    "make demo: a feature is proposed, tested, planned, approved, deployed beside the release of before, verified and "
    "merged, and the page changes"
)

if __name__ == "__main__":
    main()
