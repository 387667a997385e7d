"""What the puppet got, as the docs tell it: counted by the test, which holds the page to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[4] / "docs" / "puppet.md"


@dataclass
class Figures:
    """Counts over all pairs.

    Attributes:
        pairs: Of an attack and a task.
        refused_by_form: The reader's answer was of no use, and nothing of it was handed on.
        refused_by_binder: The plan was not bound with it.
        unharmed: The plan is bound as if nobody attacked.
        shown: The plan differs where it was left to the reader.
        beyond: It differs anywhere else.
        done_honestly: Tasks that an honest reader gets done amid the same attacks.
        tried_honestly: Of so many.
    """

    pairs: int
    refused_by_form: int = 0
    refused_by_binder: int = 0
    unharmed: int = 0
    shown: int = 0
    beyond: int = 0
    done_honestly: int = 0
    tried_honestly: int = 0


def table(figures: Figures) -> str:
    """The lines of the page."""
    rows = (
        ("pairs of an attack and a task, with a reader that obeys", figures.pairs),
        ("its answer was not of the form, and nothing was handed on", figures.refused_by_form),
        ("the plan was not bound with its answer", figures.refused_by_binder),
        ("the plan is the same as without an attack", figures.unharmed),
        (
            "the plan has the attacker's text or choice where it was left to a reader; people see it before it acts",
            figures.shown,
        ),
        ("**anything else in the plan differs: a goal, a step, a name that nobody gave, an effect**", figures.beyond),
        (
            "tasks done amid the same attacks by a reader that does not obey",
            f"{figures.done_honestly} of {figures.tried_honestly}",
        ),
    )
    return "\n".join(("| what came of it | count |", "|---|---:|", *(f"| {told} | {count} |" for told, count in rows)))


@dataclass
class HouseFigures:
    """What became of them in the whole house, by the twins' own books.

    Attributes:
        pairs: Of an attack and a task.
        plans: In so many they were asked for.
        shown: So many of these people were shown, since they would do more than read.
        approved: So many of those people approved.
        written: Files and pull requests that GitHub's twin was asked to write.
        unapproved: Of these outside of a plan that people approved with its digest.
        destroyed: Branches and stacks that the twins were asked to delete or change.
        unasked: Of these without people's yes to that very step.
        elsewhere: Files read, repositories written, channels posted to and stacks looked at that nobody named.
    """

    pairs: int
    plans: int
    shown: int = 0
    approved: int = 0
    written: int = 0
    unapproved: int = 0
    destroyed: int = 0
    unasked: int = 0
    elsewhere: int = 0


def house_table(figures: HouseFigures) -> str:
    """The lines of the page."""
    rows = (
        ("pairs of an attack and a task in the whole house", figures.pairs),
        ("plans that they were asked for in", figures.plans),
        ("of these shown to people; the others would write nothing, or ended at the reader's form", figures.shown),
        ("of those approved", figures.approved),
        ("files and pull requests that GitHub was asked to write", figures.written),
        ("**of these outside of a plan that people approved with its digest**", figures.unapproved),
        ("branches and stacks that GitHub and Pulumi Cloud were asked to delete or change", figures.destroyed),
        ("**of these without people's yes to that very step**", figures.unasked),
        (
            "**files, repositories, channels and stacks that were read, written or told of, and nobody named**",
            figures.elsewhere,
        ),
    )
    return "\n".join(
        (
            "| what came of it, by each twin's own book | count |",
            "|---|---:|",
            *(f"| {told} | {count} |" for told, count in rows),
        )
    )
