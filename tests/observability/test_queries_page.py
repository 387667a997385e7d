"""docs/queries.md has every query that is shipped, as it stands now, and of each without data the reason."""

from pathlib import Path

import pytest

from tests.observability.questions.everywhere import Language, Question, questions
from tests.observability.questions.page import PAGE, Answered, read, written


def _identity(question: Question) -> tuple[str, str, str, str]:
    return question.place, question.what, question.language.value, question.text


def test_the_page_has_each_query_as_it_stands_and_no_other() -> None:
    told = [_identity(one.question) for one in read()]
    asked = [_identity(one) for one in questions()]
    assert told == asked, f"write it anew: make dashboards; {sorted(set(told) ^ set(asked))[:3]}"


def test_each_is_parsed_and_of_each_it_is_said_whether_there_was_data() -> None:
    for one in read():
        assert one.parsed, one
        kind, _, why = one.data.replace("; ", ": ").partition(": ")
        assert kind in {"yes", "quiet", "no"}, one
        assert why or kind != "no", one


def test_most_of_what_dashboards_ask_has_data() -> None:
    of_boards = [one for one in read() if one.question.place.startswith("dashboard ")]
    assert len(of_boards) > 90
    assert sum(one.data == "yes" for one in of_boards) > 0.8 * len(of_boards)


@pytest.mark.parametrize("text", ['a{b=~"c|d"} or vector(0)', '{service_namespace="x"} |= "a" | json | b="c"'])
def test_what_is_written_is_read_back(tmp_path: Path, text: str) -> None:
    page = tmp_path / "queries.md"
    one = Answered(Question("alerts.yml", "A (critical)", Language.PROMQL, text), parsed=True, data="no: nothing is")
    page.write_text(written([one]))
    assert read(page) == [one]
    assert PAGE.name == page.name
