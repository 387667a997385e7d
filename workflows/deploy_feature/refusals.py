"""What a manifest asks for that this goal does not do: named before anything is done, so that nothing is done in part.

A key that is left out of this list is carried out. Each that it names has a reason of its own.
"""

from collections.abc import Iterator, Sequence

from workflows.manifest.commands import Command
from workflows.manifest.manifest import Manifest, SchemaRollback
from workflows.manifest.needs import Need


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


def _found(manifest: Manifest, environments: Sequence[str]) -> Iterator[str]:
    if manifest.pulumi is None:
        yield "pulumi: is missing, and it is what brings a service up here; write its stacks"
    for name, command in (("test", manifest.test), ("build", manifest.build)):
        if command is not None:
            yield from _of_command(name, command)
    if manifest.migrate is not None:
        yield "migrate: no migration is carried out by this goal yet; run it by itself, and take it out"
    for kind, index, need, name in manifest.needs.named():
        if _meant(need, environments):
            yield f"needs.{kind}[{index}]: {name!r} is not provided by this goal yet; provide it by its own goal"
    if manifest.rollback.of_schema is SchemaRollback.DOWN:
        yield "rollback.schema: there is no migration to take back; write `never`"


def _of_command(name: str, command: Command) -> Iterator[str]:
    for key in sorted(command.limits.model_fields_set - {"time"}):
        yield f"{name}.limits.{key}: commands have the deployment's own limits but for `time`; take it out"
    if command.artifacts:
        yield f"{name}.artifacts: nothing is kept of a work tree; take it out"


def _meant(need: Need, environments: Sequence[str]) -> bool:
    return need.environments is None or any(one in need.environments for one in environments)
