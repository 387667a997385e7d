"""The one plan of a deployment, in people's words: code, infrastructure, cost, risk, its reach, the way back."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import MERGE_PULL_REQUEST, MergePullRequestParameters, PullRequestSeen
    from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
    from hitl.approval.sequence import SequencePlan, added
    from hitl.hidden import unhidden, visible
    from workflows.deploy_feature.base_manifest import difference_lines
    from workflows.deploy_feature.feature import Feature
    from workflows.deploy_feature.goals import NeedTold, RiskClass
    from workflows.deploy_feature.migrations import MigrationWork, schema_lines, schema_way_back
    from workflows.deploy_feature.preparing import StackWork
    from workflows.deploy_feature.risk import risk_class, said
    from workflows.manifest.manifest import InfrastructureRollback, Manifest, SchemaRollback

MOST_LINES: Final = 50
_LONGEST: Final = 500
_PER: Final = {"once": "once", "hour": "an hour", "month": "a month"}
Method = Literal["merge", "squash", "rebase"]


def plan_of(  # noqa: PLR0913 - all but two are named by every caller
    feature: Feature,
    works: Sequence[StackWork],
    *,
    method: Method,
    merges: bool,
    needs: Sequence[NeedTold] = (),
    why_again: str = "",
) -> SequencePlan | None:
    """What people are asked: each migration and update in order, then the merge. None where nothing is to be done.

    Args:
        feature: What is deployed.
        works: Its stacks, planned.
        method: How its pull request is merged.
        merges: Whether it is.
        needs: What the service needs, as it was had.
        why_again: Why people are asked once more.
    """
    steps = _steps(works)
    pull = feature.pull if merges else None
    if pull is not None:
        steps = (*steps, _merge(feature, pull, method))
    if not steps:
        return None
    again = (f"Asked again: {why_again}",) if why_again else ()
    lines = (*again, *_summary(feature, works, pull, method), *map(_need, needs))
    return SequencePlan(steps=steps, summary=cut(lines), tightening=feature.tightening)


def risk_of(feature: Feature, works: Sequence[StackWork]) -> RiskClass:
    """The class of all that is changed; a merge can be reverted."""
    plans = _steps(works)
    if not plans and feature.pull is not None:
        return RiskClass.R1
    infrastructure = all(one.back is not None for one in works if one.plan is not None)
    goes_down = feature.manifest.rollback.of_schema is SchemaRollback.DOWN
    return risk_class(plans, way_back=infrastructure and (goes_down or not _migrated(works)))


def lost(works: Sequence[StackWork]) -> tuple[StackWork, ...]:
    """Those whose update may lose for good what no snapshot of this plan holds."""
    return tuple(one for one in works if one.plan is not None and one.plan.risk is Risk.HIGH)


def cut(lines: Iterable[str]) -> tuple[str, ...]:
    """As a plan may hold them: visible, each short enough, and not too many."""
    told = tuple(unhidden(one) for one in lines)
    kept = (
        told if len(told) <= MOST_LINES else (*told[: MOST_LINES - 1], f"and {len(told) - MOST_LINES + 1} more lines")
    )
    return tuple(one if len(one) <= _LONGEST else f"{one[: _LONGEST - 1]}…" for one in kept)


def way_back(work: StackWork, manifest: Manifest) -> str:
    """How one environment is taken back, or why it is not."""
    if manifest.rollback.infrastructure is InfrastructureRollback.NEVER:
        return f"{work.environment}: none, the manifest's rollback.infrastructure is `never`"
    if work.back is None:
        return f"{work.environment}: none, no deployment before this one is known by its commit"
    commit = str(work.back.commit)[:12]
    return f"{work.environment}: deployment {work.back.version} at {commit}, planned and approved by itself then"


def _merge(feature: Feature, pull: PullRequestSeen, method: Method) -> Plan:
    parameters = MergePullRequestParameters(
        repository=feature.source.repository,
        number=pull.number,
        expected_head=feature.commit,
        branch=pull.base,
        method=method,
    )
    return Plan(
        action=MERGE_PULL_REQUEST.name,
        parameters=parameters.model_dump(),
        resources=(
            Resource(kind="git branch", name=f"{feature.source.repository} {visible(pull.base)}", change=Change.UPDATE),
        ),
        summary=cut([f"Merge #{pull.number} into {visible(pull.base)} at {feature.commit[:12]} ({method})"]),
        risk=Risk.LOW,
    )


def _summary(
    feature: Feature, works: Sequence[StackWork], pull: PullRequestSeen | None, method: Method
) -> Iterator[str]:
    manifest = feature.manifest
    to = ", then ".join(one.environment for one in works)
    yield f"Deploy {manifest.service.name} of {feature.source.repository} at {feature.commit[:12]} to {to}"
    yield f"Risk {said(risk_of(feature, works), kept=not lost(works))}"
    if pull is None:
        yield "Code: no pull request is merged"
    else:
        by = f"«{visible(pull.title)}» by {visible(pull.author)}"
        files = "" if pull.changed_files is None else f" ({pull.changed_files} files)"
        yield f"Code: #{pull.number} {by}{files}, into {visible(pull.base)} by {method} when all is healthy"
    if feature.base is not None:
        yield from difference_lines(feature.base, feature.text)
    yield f"Tests: {'passed' if manifest.test else 'none, the manifest names no `test`'}"
    for one in works:
        if one.migration is not None:
            yield from schema_lines(one.migration)
        yield f"Infrastructure of {one.environment}: {one.told.planned}"
    yield f"Cost: {_cost(works)}"
    yield f"Reaches: {_reach(works, pull)}"
    yield f"Healthy when: {_healthy(manifest)}"
    yield from (f"Way back of {way_back(one, manifest)}" for one in works if one.plan is not None)
    yield from (f"Way back of {schema_way_back(one, manifest.rollback.of_schema)}" for one in _migrated(works))


_HOW: Final = {"made": "was made", "updated": "was there, and is published as this commit has it"}


def _need(told: NeedTold) -> str:
    if told.until is not None:
        how = f"was made, and ends {told.until:%Y-%m-%d %H:%M} UTC unless somebody extends its lease"
    else:
        how = _HOW.get(told.how, "was there, and is left alone")
    return f"Needs {told.kind} {told.name}: it {how}"


def _cost(works: Sequence[StackWork]) -> str:
    costs: Iterable[Cost | None] = (one.plan.cost for one in works if one.plan is not None)
    sums = added(costs)
    told = ", ".join(f"{one.usd_cents / 100:.2f} US dollars {_PER[one.per]}" for one in sums)
    unknown = [one.environment for one in works if one.plan is not None and one.plan.cost is None]
    more = f"not known of {', '.join(unknown)}" if unknown else ""
    return "; ".join(one for one in (told, more) if one) or "nothing more than now"


def _reach(works: Sequence[StackWork], pull: PullRequestSeen | None) -> str:
    touched = [f"{len(one.plan.resources)} resources of {one.access.name}" for one in works if one.plan is not None]
    databases = [f"the database {one.told.database}" for one in _migrated(works)]
    branch = [f"the branch {visible(pull.base)}"] if pull is not None else []
    return ", ".join(touched + databases + branch)


def _steps(works: Sequence[StackWork]) -> tuple[Plan, ...]:
    """In the order in which they run: each environment's migration before its update."""
    each = (plan for one in works for plan in (one.migration.plan if one.migration else None, one.plan))
    return tuple(plan for plan in each if plan is not None)


def _migrated(works: Sequence[StackWork]) -> tuple[MigrationWork, ...]:
    return tuple(one.migration for one in works if one.migration is not None and one.migration.plan is not None)


def _healthy(manifest: Manifest) -> str:
    verify = manifest.verify
    if verify is None:
        return "nobody says, the manifest has no `verify`"
    return f"{len(verify.http)} pages and {len(verify.metrics)} numbers hold, within {verify.within} of each update"
