"""What a goal was asked for with, and by what on GitHub, for its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from workflows.github.job_contracts import GitHubJobInput


@dataclass(frozen=True, kw_only=True)
class ShownJob:
    """What on GitHub a goal was asked for by, and where it is shown there.

    Attributes:
        delivered: The workflow of the delivery that began it.
        check: The check run's number, once it has one.
        comment: The result comment's number, once it has one.
    """

    id: str
    run_id: str
    asked: GitHubJobInput
    delivered: str
    check: int | None = None
    comment: int | None = None
    not_shown: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class AskedWith:
    """All that a goal was asked for with.

    Attributes:
        inputs: As JSON, secrets masked, what hides written out; empty where it cannot be read.
        cut: How many characters of it a page leaves out.
        job: None where nothing on GitHub asked for it.
    """

    inputs: str = ""
    cut: int = 0
    job: ShownJob | None = None
