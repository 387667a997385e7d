"""The report of an evaluation as a page. What a model said stands in it as text, and never as Markdown."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hitl.hidden import visible
from workers.planning_eval.outcomes import RIGHT, Outcome
from workers.planning_eval.report import Figures, Report

_MOST: Final = 200
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&])")


def page(report: Report) -> str:
    """All of it."""
    return "\n".join(_lines(report)) + "\n"


def headline(figures: Figures, *, priced: bool) -> tuple[str, ...]:
    """The figures in a few lines, for a terminal and for the page."""
    cost = f"${figures.cost_usd:.4f} at most" if priced else "no known price"
    tokens = f"{figures.input_tokens:,} tokens in, {figures.output_tokens:,} out"
    return (
        f"right: {figures.right} of {figures.asked}",
        f"exact plans: {figures.exact} of {figures.plans}; with the right goals: {figures.right_goal}",
        f"asked back or refused where that was due: {figures.held_back} of {figures.no_plans}",
        f"wrong plans that destroy: {figures.wrong_destructive} (0 is to be held)",
        f"mended after its mistakes were given back: {figures.corrected}",
        f"mistakes: {_counts(figures.mistakes)}",
        f"{figures.requests} requests, {tokens}, {cost}, {figures.seconds:,.1f} s",
    )


def _lines(report: Report) -> Iterator[str]:
    figures, head = report.figures(), report.head
    yield f"# How {as_text(head.model)} plans"
    yield ""
    done = "" if report.finished else f"; **not finished**: {len(report.left)} of {len(head.asked)} sentences left"
    yield (
        f"Evaluated from {report.began_at:%Y-%m-%d %H:%M} to {report.ended_at:%Y-%m-%d %H:%M} UTC by Banksman "
        f"{as_text(report.release)}{done}. Nothing was carried out."
    )
    yield ""
    yield from (f"- {as_text(one)}" for one in headline(figures, priced=head.priced))
    yield f"- verdicts: {as_text(_counts(figures.verdicts))}"
    yield f"- corrections: {head.corrections} at most; sentences: `{head.sentences}`"
    yield from (f"- prompt: `{visible(one)}`" for one in figures.prompts)
    yield from (f"- the backend calls the model {as_text(one)}" for one in figures.answered_by)
    wrong = [one for one in report.outcomes if one.wrong_destructive]
    if wrong:
        yield from ("", "## Wrong plans that destroy", "")
        yield from (f"- {one.number}. {as_text(one.ask)}: {as_text(', '.join(one.goals))}" for one in wrong)
    yield from _table(report.outcomes)


def _table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    yield from ("", "## Sentences", "", "| | sentence | to come | came | what it said |", "|---|---|---|---|---|")
    for one in outcomes:
        came = one.verdict.value if one.verdict in RIGHT else f"**{one.verdict.value}**"
        goals = f": {as_text(', '.join(one.goals))}" if one.goals and one.verdict not in RIGHT else ""
        said = as_text(one.first_mistake or one.answer)
        yield f"| {one.number} | {as_text(one.ask)} | {one.expected} | {came}{goals} | {said} |"


def as_text(text: str) -> str:
    """A stranger's words on one line of Markdown: nothing of them is markup, and they are short."""
    shown = visible(" ".join(text.split()))
    cut = shown if len(shown) <= _MOST else f"{shown[: _MOST - 1]}…"
    return _MARKUP.sub(r"\\\1", cut)


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "none"
