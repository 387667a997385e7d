"""What a manifest says, in words, step by step; and what each of its keys means."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from hitl.policy.explain import explain as explain_policy
from hitl.policy.rules import Policy
from hitl.policy.tightening import DenyRule, StricterApproval, Tightening
from hitl.protocol import Effect, PolicyContext
from workflows.manifest.commands import Command
from workflows.manifest.keys import Key, keys, nearest
from workflows.manifest.manifest import CodeRollback, InfrastructureRollback, Manifest, SchemaRollback
from workflows.manifest.needs import FlowNeed, Need, NeonNeed, QdrantNeed, RedisNeed
from workflows.manifest.reading import ReadManifest
from workflows.manifest.verify import HttpProbe, MetricCheck, Verify
from workflows.manifest.writing import inline

_SHORT: Final = 120
_UPDATE: Final = "pulumi.update_stack"
_NOTHING_SAID: Final = PolicyContext()


def explain(read: ReadManifest, policy: Policy | None = None, *, of: PolicyContext = _NOTHING_SAID) -> str:
    """What is to be done with the service, in order, and what is not.

    Args:
        read: The manifest.
        policy: The deployment's, to tell who approves.
        of: What is said of the repository, which the policy's rules match.
    """
    manifest = read.manifest
    lines = [*_service(manifest), "", "In this order:"]
    lines += [f"{number:>3}. {text}" for number, text in enumerate(_steps(manifest), start=1)]
    lines += ["", "When it is not healthy:", *(f"  - {text}" for text in _rollback(manifest))]
    lines += ["", "Stricter than the deployment's policy:", *(f"  - {text}" for text in _policy(manifest.policy))]
    if policy is not None:
        lines += ["", *_who_approves(read, policy, of)]
    return "\n".join(lines)


def _service(manifest: Manifest) -> Iterator[str]:
    service, owner = manifest.service, manifest.service.owner
    people = f" ({', '.join(owner.people)})" if owner.people else ""
    reached = f"; reached at {owner.contact}" if owner.contact else ""
    yield f"{service.name}, of {owner.team}{people}{reached}"
    if service.description:
        yield service.description.strip()


def _steps(manifest: Manifest) -> Iterator[str]:
    if manifest.test is not None:
        yield f"Test it: {_command(manifest.test)}."
    if manifest.build is not None:
        yield f"Build it: {_command(manifest.build)}."
    for _, _, need, _ in manifest.needs.named():
        yield f"See that there is {_need(need)}{_only(need.environments)}."
    if manifest.migrate is not None:
        names = [one.name for one in manifest.needs.neon]
        database = manifest.migrate.database or names[0]
        hours = next(one.hours for one in manifest.needs.neon if one.name == database)
        copy = f"First on a copy of it, which lasts {_counted(hours, 'hour')}"
        reaches = "with a login to that database alone, and with a way to it and to nothing else"
        command = _command(manifest.migrate, around=reaches)
        yield f"Migrate {database}: {command}. {copy}; then, once people approved it, on it itself."
    if manifest.pulumi is not None:
        folder = manifest.pulumi.directory or "the root"
        for environment, stack in manifest.pulumi.stacks.items():
            plan = f"plan the stack {stack} of the Pulumi project in {folder}"
            yield f"Bring up {environment}: {plan}, and apply exactly that plan once people approved it."
    yield from _verified(manifest.verify, stacks=len(manifest.pulumi.stacks) if manifest.pulumi else 0)


def _command(command: Command, *, around: str = "") -> str:
    line = shlex.join(command.command).replace("\n", "\\n")
    short = line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"
    limits = command.limits
    network = f"with the network of {command.purpose}" if command.purpose else "without a network"
    around = around or f"without a credential and {network}"
    where = f" in {command.directory}" if command.directory else ""
    processors = _counted(limits.cpus, "processor")
    kept = f"; {', '.join(command.artifacts)} is kept" if command.artifacts else ""
    return (
        f"`{short}`{where}, in a container {around}; at most {limits.time}, "
        f"{limits.memory_mib} MiB and {processors}{kept}"
    )


def _counted(count: float, what: str) -> str:
    return f"{count:g} {what}{'' if count == 1 else 's'}"


def _need(need: Need) -> str:
    match need:
        case NeonNeed():
            return (
                f"the Neon database {need.name}, in {need.branch or 'the default branch'} of the project {need.project}"
            )
        case RedisNeed():
            users = ", ".join(one.name for one in need.consumers)
            return (
                f"the Redis database {need.name} at {need.provider} for {users}, for ${need.most_usd} a month at most"
            )
        case QdrantNeed():
            of = ", ".join(f"{one.alias} (as {one.collection})" for one in need.collections)
            said = f" with {of}" if of else ""
            where = f"in {need.provider} {need.region}{said}"
            return f"the Qdrant cluster {need.name} {where}, for ${need.most_usd} a month at most"
        case FlowNeed():
            return f"{need.name} at Estuary, as {need.file} specifies it"
        case _:
            raise TypeError(need)


def _only(environments: tuple[str, ...] | list[str] | None) -> str:
    return f", in {' and '.join(environments)} only" if environments else ""


def _verified(verify: Verify | None, *, stacks: int) -> Iterator[str]:
    if verify is None:
        yield "Nothing shows that it is healthy: there is no `verify`."
        return
    shown = [_probe(one, verify) for one in verify.http] + [_metric(one) for one in verify.metrics]
    each = "Verify each of them, before the next one," if stacks > 1 else "Verify"
    yield f"{each} within {verify.within}: that {'; and that '.join(shown)}."


def _probe(probe: HttpProbe, verify: Verify) -> str:
    base = f"the stack's output {verify.output}" if verify.output else "its address"
    where = probe.url or f"{probe.path} below {base}"
    statuses = " or ".join(map(str, probe.status))
    contains = f" and {inline(probe.contains)} in its body" if probe.contains else ""
    but = f", {_counted(probe.tolerate, 'failure')} aside" if probe.tolerate else ""
    return f"{where} answers with {statuses}{contains}, every {probe.every} for {probe.lasts}{but}"


def _metric(check: MetricCheck) -> str:
    expression = " ".join(check.expression.split())
    name = f"{check.name}, which is `{expression}`," if check.name else f"`{expression}`"
    return f"{name} is {check.holds}, every {check.every} for {check.lasts}"


def _rollback(manifest: Manifest) -> Iterator[str]:
    rollback = manifest.rollback
    yield {
        CodeRollback.REVERT: "Code: a pull request reverts the commit.",
        CodeRollback.NEVER: "Code stays as it is; people go on from there.",
    }[rollback.code]
    yield {
        InfrastructureRollback.PREVIOUS: "Infrastructure: the deployment before it is planned again, and applied once "
        "people approved it.",
        InfrastructureRollback.NEVER: "Infrastructure stays as it is; people go on from there.",
    }[rollback.infrastructure]
    if rollback.of_schema is SchemaRollback.DOWN and rollback.down is not None:
        yield f"Schema: {_command(rollback.down)}, once people approved it."
    else:
        yield "Schema stays as it is; people go on from there."


def _policy(asked: Tightening) -> Iterator[str]:
    if asked == Tightening():
        yield "nothing; the deployment's policy alone decides."
        return
    if asked.environments is not None:
        yield f"nothing is done outside of {' and '.join(asked.environments)}."
    if asked.phase is not None:
        yield f"the agent is trusted with {asked.phase} at most."
    yield from map(_denied, asked.actions)
    yield from map(_stricter, asked.approvals)
    if asked.budget is not None:
        caps = asked.budget.model_dump(exclude_none=True).items()
        yield f"steps cost at most {' and '.join(f'${dollars} a {per}' for per, dollars in caps)}."


def _denied(rule: DenyRule) -> str:
    where = " and ".join(f"{name} is {pattern!r}" for name, pattern in rule.where if pattern is not None)
    because = f": {rule.because}" if rule.because else ""
    return f"{rule.deny} is denied{f' where {where}' if where else ''}{_only(rule.environments)}{because}."


def _stricter(one: StricterApproval) -> str:
    said = one.model_dump(mode="json", exclude_none=True, exclude={"action", "environments"})
    asked = ", ".join(f"{name} {inline(value)}" for name, value in said.items())
    return f"{one.action} is approved with {asked}{_only(one.environments)}."


def _who_approves(read: ReadManifest, policy: Policy, of: PolicyContext) -> Iterator[str]:
    yield f"Who approves what brings it up, by {policy.source} and this file:"
    stacks = read.manifest.pulumi.stacks if read.manifest.pulumi else {}
    tightened = read.tightened(policy)
    for environment, stack in stacks.items():
        context = of.model_copy(update={"resource": stack})
        told = explain_policy(tightened, environment, action=_UPDATE, effect=Effect.DESTRUCTIVE, context=context)
        yield from (f"  {line}" for line in told.splitlines())


def find_key(path: str) -> Key | None:
    """The key of this path; `verify.http[0].every` is `verify.http[].every`, and brackets may be left out."""
    wanted = re.sub(r"\[\d*\]", "", path)
    return next((key for name, key in keys().items() if name.replace("[]", "") == wanted), None)


def meant_key(path: str) -> str | None:
    """The path that somebody may have meant."""
    return nearest(path, tuple(keys()))


def explain_key(key: Key) -> str:
    """What one key means, what it takes, and what lies below it."""
    left_out = (
        "it must be there" if key.required else f"`{inline(key.default)}`" if key.default is not None else "nothing"
    )
    lines = [key.path, f"  {key.meaning}", f"  takes: {key.takes}", f"  when left out: {left_out}"]
    lines += [f"  for example: {inline(one)}" for one in key.examples]
    below = re.compile(re.escape(key.path) + r"(?:\[\])?\.([^.]+)")
    inside = [found[1].removesuffix("[]") for path in keys() if (found := below.fullmatch(path))]
    return "\n".join([*lines, *([f"  below it: {', '.join(inside)}"] if inside else [])])
