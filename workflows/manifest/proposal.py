"""A first manifest for a repository, made of what is seen in it; commented, and valid as it stands.

What cannot be seen stands there as a comment, with an example that is valid as well when its `# ` is taken away.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workflows.manifest.writing import inline

_NAME_MOST = 63


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is seen in a repository. All of it is somebody's text: it is quoted, and cut, where it is written.

    Attributes:
        name: What the repository, or its package, is called.
        owner: Who owns all of it, as CODEOWNERS says.
        test: The command that tests it, and why that needs a network.
        build: The command that builds it.
        migrate: The command that migrates its database.
        down: The command that undoes a migration.
        directory: Where its Pulumi.yaml lies; empty for the root, None where there is none.
        stacks: Its stacks' names, by environment.
    """

    name: str
    owner: str | None = None
    test: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    purpose: str | None = None
    migrate: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    directory: str | None = None
    stacks: Mapping[str, str] = field(default_factory=dict[str, str])


def propose(seen: Seen, *, schema: str) -> str:
    """The text of a manifest.

    Args:
        seen: What is in the repository.
        schema: Where editors find the JSON Schema.
    """
    return "\n".join(_lines(seen, schema)) + "\n"


def service_name(text: str) -> str:
    """A name that a service may have, made of any text."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())[:_NAME_MOST].strip("-")
    plain = re.sub(r"^[0-9-]+", "", plain)
    return plain if len(plain) > 1 else "service"


def _lines(seen: Seen, schema: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={' '.join(schema.split())}"
    yield "# What Banksman needs to know of this service. `banksman manifest check` finds mistakes, and"
    yield "# `banksman manifest explain` tells what this says, or what a key means."
    yield "version: 1"
    yield ""
    yield "service:"
    yield f"  name: {inline(service_name(seen.name))}"
    yield "  owner:"
    if seen.owner:
        yield f"    team: {inline(seen.owner)}"
    else:
        yield "    team: unknown # write who answers for it"
    yield '    # contact: "#team in Slack"'
    yield ""
    yield from _command("test", seen.test, ("make", "test"), seen.purpose)
    yield from _command("build", seen.build, ("make", "build"), seen.purpose)
    yield from _pulumi(seen)
    yield from _migrate(seen)
    yield from _VERIFY.splitlines()
    if seen.directory is not None and seen.stacks:
        yield from ("", "# What may be taken back when it is not healthy.", "rollback:", "  infrastructure: previous")
    yield from _POLICY.splitlines()


def _command(name: str, found: tuple[str, ...], example: tuple[str, ...], purpose: str | None) -> Iterator[str]:
    if found:
        yield f"# How it is {_DONE[name]}: in a container that holds no credential, of the deployment's image."
        yield f"{name}:"
        yield f"  command: {inline(found)}"
        if purpose:
            yield f"  purpose: {inline(purpose)} # why it needs a network"
        yield "  limits: {memory_mib: 1024, disk_mib: 512, time: 15m}"
    else:
        yield f"# How it is {_DONE[name]}; nothing here shows it."
        yield f"# {name}:"
        yield f"#   command: {inline(example)}"
    yield ""


_DONE: Mapping[str, str] = {"test": "tested", "build": "built"}


def _pulumi(seen: Seen) -> Iterator[str]:
    if seen.directory is not None and seen.stacks:
        yield "# What brings it up: the stack of each environment that the deployment's policy names."
        yield "pulumi:"
        if seen.directory:
            yield f"  directory: {inline(seen.directory)}"
        yield "  stacks:"
        yield from (f"    {inline(environment)}: {inline(stack)}" for environment, stack in seen.stacks.items())
    else:
        yield "# What brings it up; no Pulumi.yaml with stacks was found."
        yield "# pulumi:"
        yield "#   directory: infra"
        yield "#   stacks: {staging: staging, production: live}"
    yield ""


def _migrate(seen: Seen) -> Iterator[str]:
    found = "this migrates it" if seen.migrate else "no migrations were found"
    yield f"# Its database, and how its schema is brought up to date; {found}. Write the project's id at Neon."
    yield "# needs:"
    yield "#   neon:"
    yield "#     - name: main"
    yield "#       project: shop-quiet-moon-17281"
    yield "# migrate:"
    yield f"#   command: {inline(seen.migrate or ('alembic', 'upgrade', 'head'))}"
    yield ""


_VERIFY = """\
# How it shows that it is healthy.
# verify:
#   within: 10m
#   http:
#     - url: https://shop.example.com/healthz
#       for: 1m
#   metrics:
#     - expression: sum(rate(http_errors_total[5m]))
#       holds: "< 0.1"
"""
_POLICY = """\

# How the deployment's policy is tightened for it; nothing here loosens it.
# policy:
#   approvals:
#     - action: pulumi.update_stack
#       quorum: 2
"""
