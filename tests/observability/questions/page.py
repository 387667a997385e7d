"""docs/queries.md: every question, what parsed it, and whether it was answered with data in a real run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.observability.questions.everywhere import ROOT, Language, Question

PAGE: Final = ROOT / "docs/queries.md"
PARSERS: Final = {
    Language.PROMQL: "@prometheus-io/lezer-promql",
    Language.LOGQL: "@grafana/lezer-logql",
    Language.TRACEQL: "@grafana/lezer-traceql",
}
_HEAD: Final = """# Every query, and whether it was answered

Written by `make dashboards`; not by hand. What each dashboard, rule, link between signals and page of these docs
asks, parsed by the grammar of its language (`{promql}`, `{logql}`,
`{traceql}`), and put to a real Prometheus and a real log store after a run of every goal
([how](how-to/telemetry.md#on-real-servers-without-compose)).

- **data** is *yes* where numbers or lines came back, and *no* with its reason.
- An alert is *quiet* where all that it looks at is there and nothing is wrong; that it fires when it should is shown
  by its case for `promtool`.
- LogQL is put to VictoriaLogs in its own language, where it can be said in that. TraceQL is parsed alone: Tempo is
  Compose's.

{count} queries: {told}.
"""
_ROW: Final = re.compile(r"^\| (.*?) \| (\w+) \| `(.+)` \| (\w+) \| (.+) \|$", re.MULTILINE)
_PLACE: Final = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Answered:
    """A question, and what came of it.

    Attributes:
        parsed: Whether it is one by its grammar.
        data: `yes`, `quiet`, or `no` with its reason behind a colon.
    """

    question: Question
    parsed: bool
    data: str


def written(answered: Sequence[Answered]) -> str:
    """The page."""
    kinds = [re.split("[:;]", one.data)[0] for one in answered]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("yes", "quiet", "no"))
    lines = [_HEAD.format(count=len(answered), told=told, **{str(name): parser for name, parser in PARSERS.items()})]
    for place, group in groupby(answered, key=lambda one: one.question.place):
        lines += [f"## {place}", "", "| what | language | query | parsed | data |", "|---|---|---|---|---|"]
        lines += [*map(_row, group), ""]
    return "\n".join(lines)


def _row(one: Answered) -> str:
    asked = one.question
    parsed = "yes" if one.parsed else "no"
    return f"| {asked.what} | {asked.language} | `{_escaped(asked.text)}` | {parsed} | {one.data} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def read(path: Path = PAGE) -> list[Answered]:
    """What the page tells; of questions, what it has of them."""
    _, *sections = _PLACE.split(path.read_text(encoding="utf-8"))
    told: list[Answered] = []
    for place, section in zip(sections[::2], sections[1::2], strict=True):
        for what, language, text, parsed, data in _ROW.findall(section):
            question = Question(place, what, Language(language), text.replace("\\|", "|"))
            told.append(Answered(question, parsed == "yes", data))
    return told
