"""Every query that is shipped is one, by the grammars that Prometheus's and Grafana's own editors have."""

import asyncio
import re

import pytest

from deploy.local.tools import ToolUnavailableError
from observability import names
from tests.observability.questions.everywhere import ROOT, Language, Question, questions
from tests.observability.questions.grammars import Grammars, find_grammars
from workers.settings import Role

_ALL = questions()
_METRIC = re.compile(r"`(banksman_[a-z_]+)[`{]")
_SUFFIX = re.compile(r"_(?:bucket|count|sum)$")


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    try:
        return asyncio.run(find_grammars())
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))


def _places(language: Language) -> set[str]:
    return {one.place for one in _ALL if one.language is language}


def test_questions_of_every_place_and_language_are_found() -> None:
    pages = {"docs/runbooks/availability-low.md", "docs/how-to/describe-a-service.md"}
    assert _places(Language.PROMQL) >= {"alerts.yml", "objectives.yml", "datasources.yml", "dashboards", *pages}
    assert _places(Language.LOGQL) >= {"dashboard Overview", "datasources.yml", "docs/runbooks/break-glass.md"}
    assert _places(Language.TRACEQL) == {"docs/runbooks/activity-failures.md"}


def test_lines_are_asked_for_of_services_that_there_are() -> None:
    asked = {name for one in _ALL for name in re.findall(r'service_name="([^"]+)"', one.text)}
    assert asked <= {*(f"worker-{role}" for role in Role), names.SERVICE_SANDBOX_OUTPUT}
    assert asked >= {"worker-sandbox", "worker-connectors", names.SERVICE_SANDBOX_OUTPUT}


@pytest.mark.parametrize("language", Language)
def test_every_question_is_one_of_its_language(grammars: Grammars, language: Language) -> None:
    asked = [one for one in _ALL if one.language is language]
    broken = {
        f"{one.place}, {one.what}: {one.sent!r}": parsed.wrong
        for one, parsed in zip(asked, grammars.of(asked), strict=True)
        if parsed.wrong
    }
    assert broken == {}


@pytest.mark.parametrize(
    ("language", "text", "at"),
    [
        (Language.PROMQL, "sum by (goal) (rate(up[5m])", 27),
        (Language.PROMQL, "up ==", 5),
        (Language.PROMQL, "rat(up[5m])", 3),
        (Language.LOGQL, '{service_namespace="banksman"} |= "BREAK', 34),
        (Language.LOGQL, '{service_namespace="banksman"} | event=', 39),
        (Language.TRACEQL, "{ span.temporal.activity_type = && status = error }", 32),
        (Language.TRACEQL, '{service_namespace="banksman"} |= "x"', None),
    ],
)
def test_a_broken_one_is_noticed_and_where(grammars: Grammars, language: Language, text: str, at: int | None) -> None:
    [parsed] = grammars.parse([(language, text)])
    assert parsed.wrong
    assert at is None or parsed.wrong[0] == at


def test_what_a_question_selects_is_found_in_it(grammars: Grammars) -> None:
    [parsed] = grammars.parse([(Language.PROMQL, 'rate(a{b=~"c"}[5m]) / on (d) (e > 0) or vector(0)')])
    assert parsed.selectors == ('a{b=~"c"}', "e")


def test_what_grafana_fills_in_is_filled_in_before_it_is_parsed() -> None:
    assert [one.sent for one in _ALL if "$" in one.sent] == []
    filled = Question("", "", Language.PROMQL, 'rate(a{environment=~"$environment"}[$__rate_interval])').sent
    assert filled == 'rate(a{environment=~".*"}[1m])'


def test_runbooks_name_no_metric_that_is_not_there() -> None:
    ours = {str(value) for name, value in vars(names).items() if name.startswith("METRIC_")}
    told = {
        f"{page.name}: {found}"
        for page in ROOT.glob("docs/runbooks/*.md")
        for found in _METRIC.findall(page.read_text(encoding="utf-8"))
        if _SUFFIX.sub("", found) not in ours and found not in ours
    }
    assert told == set()
