"""The step that measures a repository by what is there: nothing of it is run.

GitHub is asked first, with one token; that is given back before a stranger's text is looked at.
"""

import asyncio
import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from activities.dependencies.found import NotReadable
from activities.dependencies.manifests.actions import too_wide
from activities.dependencies.manifests.kinds import choose, is_workflow
from activities.github.session import reading_session
from activities.health.contracts import MEASURE_HEALTH, HealthMeasured, MeasureHealthRequest
from activities.health.figures import Figure, FigureName
from activities.health.files import count_tests, is_test, measure_files
from activities.secrets import StepTokens
from activities.step import implements
from connectors.errors import InvalidRequest, NotFound
from connectors.github.client import GitHubApp
from connectors.github.content import GitHubSession
from connectors.github.models import FileList
from connectors.github.ours import CONFIG
from connectors.github.pulls import Check
from hitl.hidden import visible

_MOST_CONFIG: Final = 64 * 1024 + 1
_MOST_TEST_FILES: Final = 40
_LARGEST_TEST: Final = 200 * 1024
_OLD_DAYS: Final = 30
_NAMED: Final = 3
_FAILING: Final = frozenset({"failure", "timed_out", "cancelled", "action_required", "startup_failure", "stale"})


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What GitHub answered."""

    listed: FileList
    checks: list[Check]
    opened: list[datetime]
    texts: Mapping[str, bytes]


class HealthActivities:
    """The step.

    Args:
        github: GitHub, as the App sees it.
        vault: Makes the token that reads the App's key.
    """

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(MEASURE_HEALTH)
    async def measure_health(self, request: MeasureHealthRequest) -> HealthMeasured:
        """Measure a repository at one commit.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        kinds = ("contents", "checks", "pull_requests")
        async with reading_session(self._github, self._vault, request.repository, *kinds) as session:
            asked = await _ask(session, request.ref)
        figures = await asyncio.to_thread(_figures, asked, datetime.now(UTC))
        config = asked.texts.get(CONFIG)
        return HealthMeasured(
            commit=asked.listed.commit,
            figures=tuple(figures),
            config_base64=None if config is None else base64.b64encode(config[:_MOST_CONFIG]).decode(),
        )


async def _ask(session: GitHubSession, ref: str | None) -> _Asked:
    listed = await session.files(ref=ref)
    texts: dict[str, bytes] = {}
    for path in _read_whole(listed.files):
        try:
            texts[path] = (await session.read_at(path, commit=listed.commit)).content
        except (InvalidRequest, NotFound):  # a link to elsewhere: it has no text here
            continue
    pulls = session.pulls
    return _Asked(listed=listed, checks=await pulls.checks(listed.commit), opened=await pulls.opened(), texts=texts)


def _read_whole(sizes: Mapping[str, int]) -> list[str]:
    """What is read of a repository besides its list of files."""
    tests = [path for path in sorted(sizes) if is_test(path) and sizes[path] <= _LARGEST_TEST]
    config = [CONFIG] if CONFIG in sizes else []
    return [*config, *_workflows(sizes), *tests[:_MOST_TEST_FILES]]


def _workflows(sizes: Mapping[str, int]) -> list[str]:
    return list(choose({one: size for one, size in sizes.items() if is_workflow(one)}).files)


def _figures(asked: _Asked, now: datetime) -> list[Figure]:
    sizes = asked.listed.files
    tests = {path: text.decode(errors="replace") for path, text in asked.texts.items() if is_test(path)}
    return [
        _checks(asked.checks),
        *_pulls(asked.opened, now),
        _wide({path: asked.texts[path] for path in _workflows(sizes) if path in asked.texts}, sizes),
        count_tests(tests, of=sum(map(is_test, sizes))),
        *measure_files(sizes, whole=asked.listed.whole),
    ]


def _checks(checks: Iterable[Check]) -> Figure:
    """How the last checks ended; one that has not ended yet fails nothing."""
    there = list(checks)
    if not there:
        return Figure(
            name=FigureName.FAILING_CHECKS,
            told="nothing checks this commit",
            advice="Let a workflow run the tests on every push to the default branch.",
        )
    failing = sorted(one.name for one in there if one.conclusion in _FAILING)
    running = sum(one.conclusion is None for one in there)
    return Figure(
        name=FigureName.FAILING_CHECKS,
        value=len(failing),
        told=f"of {len(there)}" + (f", {running} still run" if running else ""),
        advice=f"Mend {_some(failing)}." if failing else "",
    )


def _pulls(opened: list[datetime], now: datetime) -> list[Figure]:
    oldest = max(((now - one).days for one in opened), default=None)
    old = oldest is not None and oldest > _OLD_DAYS
    return [
        Figure(name=FigureName.OPEN_PULLS, value=len(opened)),
        Figure(
            name=FigureName.OLDEST_PULL,
            value=None if oldest is None else max(0, oldest),
            told="none is open" if oldest is None else "",
            advice="Merge or close those that nobody has looked at for a month." if old else "",
        ),
    ]


def _wide(texts: Mapping[str, bytes], sizes: Mapping[str, int]) -> Figure:
    there = sum(map(is_workflow, sizes))
    wide: list[str] = []
    unread = there - len(texts)
    for path, text in texts.items():
        try:
            why = too_wide(text.decode())
        except (NotReadable, UnicodeDecodeError):
            unread += 1
            continue
        if why is not None:
            wide.append(f"{path.rpartition('/')[2]} {why}")
    return Figure(
        name=FigureName.WIDE_WORKFLOWS,
        value=len(wide),
        told=f"of {there}" + (f", {unread} could not be read" if unread else ""),
        advice=f"Say 'permissions: {{contents: read}}', and more for single jobs alone. {_some(wide)}." if wide else "",
    )


def _some(words: list[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(visible(one)[:120] for one in words[:_NAMED]) + more
