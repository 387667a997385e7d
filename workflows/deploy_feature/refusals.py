"""What a manifest asks for that this goal does not do: named before anything is done, so that nothing is done in part.

A key that is left out of this list is carried out. Each that it names has a reason of its own.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from pydantic import ValidationError

from activities.sandbox.contracts import MOST_ARTIFACTS
from hitl.policy.tightening import Tightening
from hitl.protocol import Phase
from workflows.deploy_feature.databases import Database, databases_of, migration_input
from workflows.manifest.commands import Command
from workflows.manifest.manifest import Manifest
from workflows.manifest.needs import Needs
from workflows.redis.sellers import SELLERS

_UNAPPROVED: Final = (
    "approval.waive_snapshot",
    "github.look_at_pull_request",
    "github.fetch_repository",
    "github.read_file",
    "github.check_run",
    "github.comment",
    "sandbox.run_command",
    "pulumi.seal_credentials",
    "pulumi.prepare_stack",
    "pulumi.refresh_stack",
    "pulumi.preview_stack",
    "pulumi.read_history",
    "pulumi.read_outputs",
    "pulumi.detect_drift",
    "verify.check_page",
    "verify.query_metric",
)
"""The steps of this goal that nobody approves."""
_NEON: Final = (
    "neon.look_at_branch",
    "neon.create_branch",
    "neon.keep_connection",
    "neon.sweep_logins",
    "neon.open_database",
    "neon.issue_login",
    "neon.seal_login",
    "neon.rehearse_migration",
    "neon.look_at_schema",
    "neon.compare_schema",
    "neon.end_login",
    "neon.check_login",
    "neon.end_branch",
    "neon.check_branch",
)
"""Those on databases."""
_QDRANT: Final = (
    "qdrant.quote_cluster",
    "qdrant.create_cluster",
    "qdrant.buy_cluster",
    "qdrant.look_at_cluster",
    "qdrant.issue_keys",
    "qdrant.check_database",
    "qdrant.schedule_backups",
    "qdrant.look_at_alias",
)
"""Those on clusters, which other goals take."""
_ESTUARY: Final = ("estuary.look_at_flow", "estuary.try_flow", "estuary.publish_flow", "estuary.delete_flow")
"""Those on flows, which another goal takes."""


def not_done(manifest: Manifest, environments: Sequence[str]) -> tuple[str, ...]:
    """Each key that is asked for and not carried out, one a line with what to do about it.

    Args:
        manifest: Valid.
        environments: Those that the feature goes to.
    """
    return tuple(_found(manifest, environments))


def unknown_environments(manifest: Manifest, wanted: Sequence[str]) -> tuple[str, ...]:
    """Each environment that is asked for and has no stack."""
    known = tuple(manifest.pulumi.stacks) if manifest.pulumi else ()
    told = ", ".join(known) or "none"
    return tuple(f"pulumi.stacks: has no environment {one!r}; there is {told}" for one in wanted if one not in known)


def held_nowhere(policy: Tightening, needs: Needs | None = None) -> tuple[str, ...]:
    """What is asked of the policy for steps that nobody approves: no plan of theirs carries it, so nothing holds it.

    What is asked for the steps that people approve goes into the plan, and whoever judges that holds it. What is needed
    is provided by goals with plans of their own, which know nothing of this manifest.

    Args:
        policy: What is asked.
        needs: What the service needs: only steps that are taken for it can be meant.
    """
    needs = needs or Needs()
    steps = (*_UNAPPROVED, *(_NEON if needs.neon else ()), *(name for name in _of_others(needs)))
    told = [
        f"policy.actions[{index}]: `deny: {one.deny}` means {meant}, which nobody approves; take it out, or deny it by "
        "the deployment's policy"
        for index, one in enumerate(policy.actions)
        if (meant := next((name for name in steps if fnmatchcase(name, one.deny)), None)) is not None
    ]
    if policy.phase not in {None, Phase.PRODUCTION}:
        told.append(f"policy.phase: `{policy.phase}` lets nothing be deployed; write `production`, or take it out")
    bought = tuple(_of_others(needs))
    told += [
        f"policy.approvals[{index}]: `{one.action}` means {meant}, about which another goal asks; take it out, or have "
        "the deployment's policy say so"
        for index, one in enumerate(policy.approvals)
        if (meant := next((name for name in bought if fnmatchcase(name, one.action)), None)) is not None
    ]
    if policy.budget is not None and bought:
        told.append("policy.budget: what `needs` cost is bought by other goals, which are not held to it; take it out")
    return tuple(told)


def _of_others(needs: Needs) -> Iterator[str]:
    """The steps of the goals that provide what is needed."""
    for provider in dict.fromkeys(one.provider for one in needs.redis):
        steps = SELLERS[provider]
        each = (steps.price, steps.create, steps.purchase, steps.look, steps.grant, steps.check)
        yield from (one.name for one in each)
    if needs.qdrant:
        yield from _QDRANT
    if needs.estuary:
        yield from _ESTUARY


def _found(manifest: Manifest, environments: Sequence[str]) -> Iterator[str]:
    if manifest.pulumi is None:
        yield "pulumi: is missing, and it is what brings a service up here; write its stacks"
    for name, command in (("test", manifest.test), ("build", manifest.build)):
        if command is not None:
            yield from _of_command(name, command)
    migrated = databases_of(manifest, environments)
    for name, command in (("migrate", manifest.migrate), ("rollback.down", manifest.rollback.down)):
        if command is not None:
            yield from _of_migration(name, command, migrated)


def _of_command(name: str, command: Command) -> Iterator[str]:
    if len(command.artifacts) > MOST_ARTIFACTS:
        yield f"{name}.artifacts: {MOST_ARTIFACTS} paths are kept at most; name folders"


def _of_migration(name: str, command: Command, databases: Sequence[Database]) -> Iterator[str]:
    for key in sorted(command.limits.model_fields_set - {"time"}):
        yield f"{name}.limits.{key}: migrations have the deployment's own limits but for `time`; take it out"
    if command.artifacts:
        yield f"{name}.artifacts: nothing is kept of a migration's work tree; take it out"
    if command.purpose is not None:
        yield f"{name}.purpose: a migration reaches its database and nothing else: take it out"
    for one in databases:
        if one.need.database is None:
            if name == "migrate":
                yield f"needs.neon[{one.index}].database: is missing, and it is what is migrated; write its name"
            continue
        try:
            migration_input("owner/name", command, one.need)
        except ValidationError as error:
            for found in error.errors(include_url=False, include_input=False):
                yield f"{name}: {'.'.join(map(str, found['loc']))}: {found['msg']}"
