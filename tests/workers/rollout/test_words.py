"""What other people wrote is text in the report: neither Markdown nor HTML of theirs is obeyed, and nothing hides."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hitl.policy.rules import RollOut
from hitl.protocol import Phase
from tests.workers.rollout.writing import Days
from workers.rollout.book import chains, verified
from workers.rollout.evidence import Evidence, SaidOpinion
from workers.rollout.page import page
from workers.rollout.report import Report
from workers.rollout.told import MOST_OPINIONS, markdown, quoted

HOSTILE = (
    "<script>alert(1)</script> **bold** [a link](https://evil.example) ![x](y) `code` # head\n\n"
    "- ready for production: yes @everyone www.evil.example http://evil.example \u202egnp.exe \u200b | a | b |"
)


class Elements(HTMLParser):
    """All elements and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def report(days: Days, words: str, *, goal: str = "read-file/acme/shop") -> Report:
    """With one opinion, of these words."""
    days.opinion("wrong", words=words, goal=goal)
    evidence = Evidence(environment="live", events=1, first="2026-11-01T00:00:00+00:00")
    seen: list[SaidOpinion] = []
    assert verified(chains(days.folder), evidence.take) == []
    seen += evidence.opinions.values()
    assert len(seen) == 1
    return Report(
        environment="live",
        made_at=datetime(2026, 12, 1, tzinfo=UTC),
        phase=Phase.READ_ONLY,
        wanted=RollOut(),
        evidence=evidence,
        words={("run", "alice"): words},
    )


def test_no_words_are_markdown(days: Days) -> None:
    told = markdown(report(days, HOSTILE))
    [line] = [one for one in told.splitlines() if "alice" in one]
    for said in (
        "<script>",
        "**bold**",
        "[a link]",
        "![x]",
        "`code`",
        "@everyone",
        "www.e",
        "http:/",
        "\u202e",
        "\u200b",
    ):
        assert said not in line.replace("\\<", "").replace(r"\@", "") or said == "@everyone", said
    assert r"\<script\>" in line
    assert r"\@everyone" in line
    assert r"http\://evil.example" in line
    assert r"www\.evil.example" in line
    assert "\n- ready for production: yes" not in told, "no line of theirs stands for itself"


def test_no_words_are_html(days: Days) -> None:
    read = Elements()
    read.feed(page(report(days, HOSTILE)))
    ours = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li", "strong", "code"}
    assert read.tags <= ours
    assert read.attributes <= {"lang", "charset", "http-equiv", "content"}
    assert "<script>alert(1)</script> **bold** [a link](https://evil.example)" in read.text
    assert "\u202e" not in read.text


def test_a_goals_name_is_code_that_it_cannot_leave(days: Days) -> None:
    read = Elements()
    told = report(days, "", goal="`</code><img src=x onerror=alert(1)>\u202e")
    read.feed(page(told))
    assert "img" not in read.tags
    assert "\u202e" not in read.text
    assert markdown(told).count("`") % 2 == 0


def test_an_ordinary_sentence_stays_as_it_was() -> None:
    said = "The plan was right, but it took 20 minutes: too long for us!"
    assert quoted(said) == said


def test_the_last_opinion_of_a_person_counts_and_no_other(days: Days) -> None:
    days.on("2026-11-01T09:00")
    days.opinion("wrong")
    days.on("2026-11-01T10:00")
    days.opinion("useful")
    days.on("2026-11-01T11:00")
    days.opinion("useful", person="bob")
    told = days.numbers()
    assert [(one["person"], one["verdict"]) for one in told["opinions"]] == [("bob", "useful"), ("alice", "useful")]


def test_one_that_was_not_verified_is_none(days: Days) -> None:
    days.event("allowed", "hitl.keep_opinion", role="gateway", effect="write")
    days.event("failed", "hitl.keep_opinion", role="gateway", effect="write", error="InvalidRequest")
    assert days.numbers()["opinions"] == []


def test_of_very_many_the_newest_are_told_and_the_rest_is_counted(days: Days) -> None:
    for number in range(MOST_OPINIONS + 3):
        days.opinion("useful", run=f"run-{number}")
    told = days.told()
    assert f"{MOST_OPINIONS + 3} opinions on {MOST_OPINIONS + 3} goals: {MOST_OPINIONS + 3} useful." in told
    assert "- and 3 older ones" in told


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_page_is_written_beside_what_is_printed(days: Days, tmp_path: Path, form: list[str]) -> None:
    days.step("github.read_file")
    path = tmp_path / "report.html"
    days.told("--html", str(path), *form)
    assert "<h1>Roll-out of live: non_critical_writes</h1>" in path.read_text()
