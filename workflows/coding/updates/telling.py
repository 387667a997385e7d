"""The text of an update's pull request. Names, versions, links and words of others stand as code, and lead nowhere."""

from collections.abc import Iterator, Sequence
from typing import Final

from activities.coding.contracts import PackageMoved
from activities.sandbox.update_contracts import Finding
from sandbox.gate.updated import UPDATE_RULES
from workflows.coding.job.goals import CodingJobInput, CodingJobResult
from workflows.coding.job.telling import code, quoted_run, table

_MOST_BODY: Final = 60_000
_MOST_ROWS: Final = 100


def update_body(wanted: CodingJobInput, result: CodingJobResult, goal: str) -> str:
    """The text.

    Args:
        wanted: What was asked.
        result: What came of the job so far.
        goal: Its workflow id.
    """
    what = ", ".join(map(code, wanted.packages)) or "everything that its manifest lets move"
    of = {"goal": goal, "commit": result.commit, "change": result.patch}
    parts = [
        f"Tools wrote this lock file anew, for {what}. No language model took part, and no code of a package ran.",
        table(("package", "from", "to", "where it tells of its changes"), [*_rows(result.updates)]),
        *_warnings(result.updates),
        "### Judged by rules",
        table(("rule", "passed"), [(what, _passed(rule, result)) for rule, what in UPDATE_RULES.items()]),
        "### Audit",
        *_audit(result),
        "### Tests, in a container with the new versions and no network",
        *(quoted_run(one) for one in result.tests),
        "### Could move as well, and does not here" if result.beside else "",
        table(("package", "from", "to", ""), [*_rows(result.beside)]) if result.beside else "",
        "### What it is made of",
        table(("", ""), [(name, code(one or "")) for name, one in of.items()]),
    ]
    body = "\n\n".join(one for one in parts if one)
    return body if len(body) <= _MOST_BODY else f"{body[: _MOST_BODY - 1]}…"


def _passed(rule: str, result: CodingJobResult) -> str:
    """Of a lock file that never had digests nothing is claimed."""
    if rule == "digests" and not result.hashed:
        return "not to be told: this file has no digests, before as after; `--generate-hashes` writes them"
    return "yes"


def _rows(moved: Sequence[PackageMoved]) -> Iterator[tuple[str, ...]]:
    for one in moved[:_MOST_ROWS]:
        yield code(one.name), code(one.before) or "new", code(one.after) or "gone", code(one.link)
    if (more := len(moved) - _MOST_ROWS) > 0:
        yield f"and {more} more", "", "", ""


def _warnings(moved: Sequence[PackageMoved]) -> Iterator[str]:
    for one in moved:
        if one.like:
            yield (
                f"> **Look at {code(one.name)}**: it is new, and its name is hardly another than {code(one.like)}, "
                "which was there before."
            )


def _audit(result: CodingJobResult) -> Iterator[str]:
    audit = result.audit
    if audit is None:
        return
    yield f"{code(audit.tool)} ran on the lock file before and after: the update brings nothing that is known."
    for found, head in ((audit.mended, "mends"), (audit.left, "leaves, as it was before")):
        if found:
            yield table((head, "known as", "in strangers' words"), [*_findings(found)])


def _findings(found: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    for one in found[:_MOST_ROWS]:
        yield code(one.package), code(one.id), code(one.says)
