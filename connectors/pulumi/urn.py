"""Pulumi's names of resources: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`."""

from typing import Final, NamedTuple

from hitl.hidden import visible

STACK_TYPE: Final = "pulumi:pulumi:Stack"
_PROVIDER: Final = "pulumi:providers:"
_PREFIX: Final = "urn:pulumi:"
_PARTS: Final = 4


class Urn(NamedTuple):
    """A name, taken apart.

    Attributes:
        type: Of the resource itself, without its parents'.
    """

    stack: str
    project: str
    type: str
    name: str


def read_urn(urn: str) -> Urn:
    """Take a URN apart.

    Raises:
        ValueError: It is none.
    """
    parts = urn.removeprefix(_PREFIX).split("::", _PARTS - 1)
    if not urn.startswith(_PREFIX) or len(parts) != _PARTS:
        raise ValueError(f"{urn[:200]!r} is no URN; one looks like urn:pulumi:dev::shop::aws:s3/bucket:Bucket::assets")
    stack, project, types, name = parts
    return Urn(stack, project, types.rpartition("$")[2], name)


def told(urn: str) -> str:
    """A resource as people know it: type and name, with what hides in them made visible."""
    try:
        read = read_urn(urn)
    except ValueError:
        return visible(urn)
    return visible(f"{read.type} {read.name}")


def is_bookkeeping(type_: str) -> bool:
    """Whether Pulumi keeps it for itself: the stack, and the providers. Nothing outside stands for it."""
    return type_ == STACK_TYPE or type_.startswith(_PROVIDER)
