"""What Temporal keeps of somebody: what can go now, and what stays for how long.

An execution is found by what its search attribute says, and with it all that it began, which says nothing of its own.
Those go together, children first: what is left after an interruption is found again by what began it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from hitl.gateway.server import quoted
from workers.forgetting.scope import Scope
from workflows.github.contracts import delivery_id
from workflows.github.installation_contracts import INSTALLATION_WORKFLOW
from workflows.github.job_contracts import GITHUB_JOB_PREFIX

LEFT_ALONE: Final = timedelta(days=4)
"""GitHub sends a delivery again for three days. One whose GUID is not known any more would begin a second goal."""
_ROOTS_AT_ONCE: Final = 50


@dataclass(frozen=True, kw_only=True)
class Found:
    """All of it.

    Attributes:
        levels: What can go; in each what nothing of the ones before was begun by.
        running: What has not ended.
        held: What has ended, and belongs to something that has not.
        young: What has ended too lately, with what belongs to that.
        free_at: When the last of the young may go.
    """

    levels: tuple[tuple[WorkflowExecution, ...], ...] = ()
    running: tuple[WorkflowExecution, ...] = ()
    held: tuple[WorkflowExecution, ...] = ()
    young: tuple[WorkflowExecution, ...] = ()
    free_at: datetime | None = None

    @property
    def due(self) -> tuple[WorkflowExecution, ...]:
        """All that can go."""
        return tuple(chain.from_iterable(self.levels))


async def look(client: Client, scope: Scope, *, now: datetime) -> Found:
    """Find it; nothing is changed.

    Raises:
        RPCError: The server does not answer.
    """
    matched: dict[str, WorkflowExecution] = {}
    for query in scope.queries():
        async for one in client.list_workflows(query):
            matched[one.run_id] = one
    trees = await _trees(client, {_root(one) for one in matched.values()})
    selected = {**matched, **_begun_by(matched, trees, scope)}
    running = {one.id for one in selected.values() if _runs(one)}
    limit = now - LEFT_ALONE
    due: dict[str, WorkflowExecution] = {}
    held: list[WorkflowExecution] = []
    young: list[WorkflowExecution] = []
    for root, those in _by_root(selected.values()).items():
        ended = [one for one in those if not _runs(one)]
        if any(map(_runs, trees.get(root, ()))) or any(_goes_on(one, running) for one in those):
            held += ended
        elif any(one.close_time is not None and one.close_time > limit for one in ended):
            young += ended
        else:
            due |= {one.run_id: one for one in ended}
    closed = [one.close_time for one in young if one.close_time is not None]
    return Found(
        levels=_children_first(due),
        running=tuple(one for one in selected.values() if _runs(one)),
        held=tuple(held),
        young=tuple(young),
        free_at=max(closed) + LEFT_ALONE if closed else None,
    )


async def _trees(client: Client, roots: Iterable[str]) -> dict[str, list[WorkflowExecution]]:
    """All that was begun below each of these, with them."""
    found: dict[str, list[WorkflowExecution]] = {}
    ordered = sorted(roots)
    for start in range(0, len(ordered), _ROOTS_AT_ONCE):
        some = ordered[start : start + _ROOTS_AT_ONCE]
        async for one in client.list_workflows(f"RootRunId IN ({', '.join(map(quoted, some))})"):
            found.setdefault(_root(one), []).append(one)
    return found


def _begun_by(
    matched: Mapping[str, WorkflowExecution], trees: Mapping[str, list[WorkflowExecution]], scope: Scope
) -> dict[str, WorkflowExecution]:
    """What these began, and what that began; but for what is somebody else's."""
    children: dict[str, list[WorkflowExecution]] = {}
    for one in chain.from_iterable(trees.values()):
        if not scope.is_of_others(one):
            children.setdefault(_parent(one), []).append(one)
    found: dict[str, WorkflowExecution] = {}
    left = list(matched)
    while left:
        for child in children.get(left.pop(), ()):
            if child.run_id not in found and child.run_id not in matched:
                found[child.run_id] = child
                left.append(child.run_id)
    return found


def _goes_on(one: WorkflowExecution, running: set[str]) -> bool:
    """Whether something outside of its tree still needs it: its next run, or the delivery that would ask again."""
    if one.status is WorkflowExecutionStatus.CONTINUED_AS_NEW and one.id in running:
        return True
    guid = one.id.removeprefix(GITHUB_JOB_PREFIX).partition("/")[0]
    return one.id.startswith(GITHUB_JOB_PREFIX) and delivery_id(guid) in running


def _children_first(due: Mapping[str, WorkflowExecution]) -> tuple[tuple[WorkflowExecution, ...], ...]:
    """Children before what began them; last an installation, which says whose repositories are meant."""
    depths: dict[str, int] = {}
    for one in due.values():
        depth, above = 0, _parent(one)
        while above in due:
            depth, above = depth + 1, _parent(due[above])
        depths[one.run_id] = depth if one.workflow_type != INSTALLATION_WORKFLOW else -1
    return tuple(
        tuple(one for one in due.values() if depths[one.run_id] == depth)
        for depth in sorted(set(depths.values()), reverse=True)
    )


def _by_root(those: Iterable[WorkflowExecution]) -> dict[str, list[WorkflowExecution]]:
    found: dict[str, list[WorkflowExecution]] = {}
    for one in those:
        found.setdefault(_root(one), []).append(one)
    return found


def by_type(those: Iterable[WorkflowExecution]) -> dict[str, int]:
    """How many of each workflow type, by its name."""
    return dict(sorted(Counter(one.workflow_type for one in those).items()))


def _runs(one: WorkflowExecution) -> bool:
    """Also what is paused: deleting it would end it."""
    return one.close_time is None


def _root(one: WorkflowExecution) -> str:
    return one.raw_info.root_execution.run_id or one.run_id


def _parent(one: WorkflowExecution) -> str:
    return one.raw_info.parent_execution.run_id
