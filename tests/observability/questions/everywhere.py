"""Every question to Prometheus, Loki and Tempo that this project ships: of dashboards, rules, links and pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

import yaml

from observability.dashboards.__main__ import BOARDS
from observability.dashboards.board import Board, Graph, Logs, Stat, Table
from observability.dashboards.pictures.answers import everything
from observability.dashboards.render import VARIABLES

ROOT: Final = Path(__file__).parents[3]
RULES: Final = ("alerts.yml", "objectives.yml")
_PROMETHEUS: Final = ROOT / "observability/prometheus"
_SOURCES: Final = ROOT / "observability/grafana/provisioning/datasources/datasources.yml"
_OF_A_VARIABLE: Final = re.compile(r"label_values\((.+), \w+\)")
_PLACEHOLDERS: Final = {"{$$__tags}": "{}", "$${__trace.traceId}": "0" * 32, "$${action}": "github.read_file"}
"""What Grafana fills into the links between signals."""
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_BLOCK: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_IN_A_MANIFEST: Final = re.compile(r"^\s+expression: (.+)$", re.MULTILINE)
_PROMQL: Final = re.compile(r"[a-z_]+(?: by \([\w, ]+\))? ?\(.*\b(?:banksman_|temporal_|process_|up\b).*\)")
_LOGQL: Final = re.compile(r"\{service_name(?:space)?=.*")
_TRACEQL: Final = re.compile(r"\{ (?:span|resource)\..*\}")


class Language(StrEnum):
    """What is spoken: to Prometheus, to Loki, to Tempo."""

    PROMQL = "promql"
    LOGQL = "logql"
    TRACEQL = "traceql"


@dataclass(frozen=True)
class Question:
    """One of them.

    Attributes:
        place: Where it stands: a dashboard, a file, a page.
        what: Which one of that place.
        text: As it is written there.
        rule: Whether an alert asks it, which is answered with nothing for as long as all is well.
    """

    place: str
    what: str
    language: Language
    text: str
    rule: bool = False

    @property
    def sent(self) -> str:
        """As a server gets it: every variable filled in."""
        text = self.text
        for placeholder, filled in _PLACEHOLDERS.items():
            text = text.replace(placeholder, filled)
        return everything(text)


def of_board(board: Board) -> Iterator[Question]:
    """What a dashboard asks, panel by panel."""
    place = f"dashboard {board.title}"
    for panel in board.panels:
        match panel:
            case Stat() | Table():
                yield Question(place, panel.title, Language.PROMQL, panel.query)
            case Graph():
                for query in panel.queries.values():
                    yield Question(place, panel.title, Language.PROMQL, query)
            case Logs():
                yield Question(place, panel.title, Language.LOGQL, panel.query)


def questions() -> list[Question]:
    """All of them, in the order of their places."""
    return [
        *(one for board in BOARDS for one in of_board(board)),
        *_of_variables(),
        *(one for name in RULES for one in _of_rules(name)),
        *_of_links(),
        *(one for page in sorted(ROOT.glob("docs/**/*.md")) if page.name != "queries.md" for one in of_page(page)),
    ]


def of_page(page: Path) -> Iterator[Question]:
    """What a page tells people to ask: in code among its words, and as a metric in the block of a manifest."""
    place, text = str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")
    for found in _SPAN.findall(_BLOCK.sub("", text)):
        for language, shape in ((Language.PROMQL, _PROMQL), (Language.LOGQL, _LOGQL), (Language.TRACEQL, _TRACEQL)):
            if shape.fullmatch(found):
                yield Question(place, "", language, found)
    for found in _IN_A_MANIFEST.findall(text):
        yield Question(place, "manifest", Language.PROMQL, found)


def _of_variables() -> Iterator[Question]:
    for name, query in VARIABLES.items():
        asked = _OF_A_VARIABLE.fullmatch(query)
        assert asked is not None, query
        yield Question("dashboards", f"variable {name}", Language.PROMQL, asked[1])


def _of_rules(name: str) -> Iterator[Question]:
    rules = [rule for group in _loaded(_PROMETHEUS / name)["groups"] for rule in group["rules"]]
    for rule in rules:
        severity = f" ({rule['labels']['severity']})" if "alert" in rule else ""
        what = f"{rule.get('alert') or rule['record']}{severity}"
        yield Question(name, what, Language.PROMQL, " ".join(rule["expr"].split()), rule="alert" in rule)


def _of_links() -> Iterator[Question]:
    sources = _loaded(_SOURCES)["datasources"]
    [tempo] = [one["jsonData"] for one in sources if one["uid"] == "tempo"]
    yield Question("datasources.yml", "from a trace to its lines", Language.LOGQL, tempo["tracesToLogsV2"]["query"])
    for query in tempo["tracesToMetrics"]["queries"]:
        yield Question("datasources.yml", query["name"], Language.PROMQL, query["query"])
    for one in [correlation for source in sources for correlation in source.get("correlations", ())]:
        yield Question("datasources.yml", one["label"], Language.PROMQL, one["config"]["target"]["expr"])


def _loaded(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))
