"""What no single value of a manifest shows: names that are not there, times that do not fit, one half of two."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from hitl.policy.yaml import Location
from workflows.manifest.commands import LONGEST, Command
from workflows.manifest.keys import nearest
from workflows.manifest.manifest import InfrastructureRollback, Manifest, SchemaRollback
from workflows.manifest.needs import Needs
from workflows.manifest.verify import HttpProbe, MetricCheck, Verify, unbalanced
from workflows.manifest.words import seconds

Found = tuple[Location, str]
"""A mistake: where it is, and what to do about it."""
_MOST_TRIES = 1000


def find_mistakes(manifest: Manifest) -> Iterator[Found]:
    """Everything that the values do not agree about."""
    for at, command in _commands(manifest):
        yield from _command(command, at)
    yield from _needs(manifest.needs)
    yield from _migration(manifest)
    yield from _environments(manifest)
    if manifest.verify is not None:
        yield from _verify(manifest.verify, has_stack=manifest.pulumi is not None)
    yield from _rollback(manifest)
    yield from _twice([one.action for one in manifest.policy.approvals], ("policy", "approvals"), "action")


def _commands(manifest: Manifest) -> Iterator[tuple[Location, Command]]:
    named = (("test", manifest.test), ("build", manifest.build), ("migrate", manifest.migrate))
    yield from (((name,), one) for name, one in named if one is not None)
    if manifest.rollback.down is not None:
        yield ("rollback", "down"), manifest.rollback.down


def _command(command: Command, at: Location) -> Iterator[Found]:
    if not command.command[0].strip():
        yield (*at, "command", 0), "names no program; write it first, as in [make, test]"
    if seconds(command.limits.time) > LONGEST:
        yield (*at, "limits", "time"), f"{command.limits.time} is more than the hour that a command may be given"
    try:
        command.limits.for_sandbox()
    except ValidationError:
        disk, memory = command.limits.disk_mib, command.limits.memory_mib
        text = f"{disk} MiB do not fit: the work tree lies in memory, and of {memory} MiB other things take 105"
        yield (*at, "limits", "disk_mib"), f"{text}; write more memory_mib, or less here"


def _needs(needs: Needs) -> Iterator[Found]:
    seen: dict[tuple[str, str], list[tuple[str, ...] | None]] = {}
    for kind, index, need, name in needs.named():
        before = seen.setdefault((kind, name), [])
        if any(_meet(need.environments, one) for one in before):
            text = f"{name!r} is named already for the same environment; keep one of them"
            yield ("needs", kind, index, "name"), text
        before.append(need.environments)
    for index, redis in enumerate(needs.redis):
        yield from _refused(redis.goal, ("needs", "redis", index))
    for index, cluster in enumerate(needs.qdrant):
        for inside, collection in enumerate(cluster.collections):
            at = ("needs", "qdrant", index, "collections", inside)
            yield from _refused(lambda one=collection, name=cluster.name: one.goal(name), at)
        yield from _twice(
            [one.alias for one in cluster.collections], ("needs", "qdrant", index, "collections"), "alias"
        )


def _meet(some: tuple[str, ...] | None, others: tuple[str, ...] | None) -> bool:
    return some is None or others is None or bool(set(some) & set(others))


def _refused(goal: object, at: Location) -> Iterator[Found]:
    if not callable(goal):
        raise TypeError(goal)
    try:
        goal()
    except ValidationError as error:
        for one in error.errors(include_url=False):
            yield (*at, *one["loc"]), one["msg"].removeprefix("Value error, ")


def _twice(names: Iterable[str], at: Location, key: str) -> Iterator[Found]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            yield (*at, index, key), f"{name!r} is already in {at[-1]}[{first[name]}]; keep one of them"
        first.setdefault(name, index)


def _migration(manifest: Manifest) -> Iterator[Found]:
    if manifest.migrate is None:
        return
    names = tuple(dict.fromkeys(one.name for one in manifest.needs.neon))
    wanted = manifest.migrate.database
    if wanted is None and len(names) != 1:
        there = f"needs.neon has {', '.join(names)}: write `database`" if names else "write the database in needs.neon"
        yield ("migrate",), f"does not say which database it is about; {there}"
    elif wanted is not None and wanted not in names:
        yield ("migrate", "database"), _unknown(wanted, names, "needs.neon has no database")
    if manifest.migrate.purpose is not None:
        yield ("migrate", "purpose"), "a migration reaches its database and nothing else: take it out"


def _unknown(name: str, known: tuple[str, ...], what: str) -> str:
    close = nearest(name, known)
    return (
        f"{what} {name!r}; "
        + (f"did you mean {close!r}? " if close else "")
        + f"Known here: {', '.join(known) or 'none'}"
    )


def _environments(manifest: Manifest) -> Iterator[Found]:
    """Where stacks say which environments there are, no other part names another."""
    if manifest.pulumi is None:
        return
    known = tuple(manifest.pulumi.stacks)
    named: list[tuple[Location, str]] = []
    if manifest.verify is not None:
        named += [(("verify", "addresses", one), one) for one in manifest.verify.addresses]
    for kind, index, need, _ in manifest.needs.named():
        named += [(("needs", kind, index, "environments", at), one) for at, one in enumerate(need.environments or ())]
    policy = manifest.policy
    named += [(("policy", "environments", at), one) for at, one in enumerate(policy.environments or ())]
    for section, entries in (("actions", policy.actions), ("approvals", policy.approvals)):
        for index, entry in enumerate(entries):
            at = ("policy", section, index, "environments")
            named += [((*at, inside), one) for inside, one in enumerate(entry.environments or ())]
    yield from ((at, _unknown(one, known, "pulumi.stacks has no environment")) for at, one in named if one not in known)


def _verify(verify: Verify, *, has_stack: bool) -> Iterator[Found]:
    if not verify.http and not verify.metrics:
        yield ("verify",), "verifies nothing; write `http` or `metrics` below it, or take it out"
    if verify.output is not None and verify.addresses:
        yield ("verify", "output"), "says where the service is, and so does `addresses`; keep one of them"
    if verify.output is not None and not has_stack:
        yield ("verify", "output"), "is one of a Pulumi stack, and there is no `pulumi`; write `addresses`"
    for index, probe in enumerate(verify.http):
        yield from _probe(probe, verify, ("verify", "http", index))
    for index, check in enumerate(verify.metrics):
        at = ("verify", "metrics", index)
        yield from _times(check, verify, at)
        if bracket := unbalanced(check.expression):
            yield (*at, "expression"), f"the bracket {bracket!r} has no other half; write it as PromQL"


def _probe(probe: HttpProbe, verify: Verify, at: Location) -> Iterator[Found]:
    if (probe.url is None) is (probe.path is None):
        yield at, "needs an `url`, or a `path` below the service's address, and one of them"
    if probe.path is not None and not verify.addresses and verify.output is None:
        yield (*at, "path"), "is below an address that nothing says; write verify.addresses or verify.output"
    yield from _times(probe, verify, at)
    tries = seconds(probe.lasts) // seconds(probe.every) + 1
    if probe.tolerate >= tries:
        yield (*at, "tolerate"), f"{probe.tolerate} of {tries} tries may fail, so that it never fails; write less"


def _times(one: HttpProbe | MetricCheck, verify: Verify, at: Location) -> Iterator[Found]:
    lasts, every = seconds(one.lasts), seconds(one.every)
    if lasts > seconds(verify.within):
        yield (
            (*at, "for"),
            f"{one.lasts} do not fit into the {verify.within} of verify.within; write less here or more there",
        )
    if every > lasts:
        yield (*at, "every"), f"{one.every} is longer than the {one.lasts} of `for`; write less"
    elif lasts // every > _MOST_TRIES:
        yield (*at, "every"), f"makes more than {_MOST_TRIES} tries in {one.lasts}; write more"


def _rollback(manifest: Manifest) -> Iterator[Found]:
    rollback = manifest.rollback
    if rollback.infrastructure is InfrastructureRollback.PREVIOUS and manifest.pulumi is None:
        yield ("rollback", "infrastructure"), "there is no `pulumi` to roll back; take it out, or write `pulumi`"
    if rollback.of_schema is SchemaRollback.DOWN:
        if manifest.migrate is None:
            yield ("rollback", "schema"), "there is no `migrate` to undo; take it out, or write `migrate`"
        elif rollback.down is None:
            yield ("rollback", "schema"), "`down` is a command of its own; write it as rollback.down"
    elif rollback.down is not None:
        yield ("rollback", "down"), "is never run as long as rollback.schema is `never`; write `schema: down`"
