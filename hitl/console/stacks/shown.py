"""What a page says of a stack's plan, ready for its template: nothing in it hides, and every list has an end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from connectors.pulumi.changes import ChangeKind

Item = TypeVar("Item")


@dataclass(frozen=True)
class Some(Generic[Item]):
    """The first ones of a list, and how many there are besides."""

    items: Sequence[Item]
    more: int = 0


@dataclass(frozen=True, kw_only=True)
class Value:
    """One side of a property.

    Attributes:
        there: False where there was, or will be, nothing.
        cut: How many characters are left out.
    """

    text: str = ""
    there: bool = True
    cut: int = 0


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property, before and after.

    Attributes:
        masked_alike: Both sides read the same and are not: secrets are masked.
    """

    path: str
    before: Value
    after: Value
    forces: bool
    masked_alike: bool


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What becomes of one resource.

    Attributes:
        number: Its place in the plan, from 0.
        warnings: What makes it dangerous, the worst first.
        why: Further words on it.
        cut: Whether anything of it is left out.
        open: Whether it is shown unfolded.
    """

    number: int
    kind: ChangeKind
    name: str
    type: str
    urn: str
    warnings: tuple[str, ...]
    why: tuple[str, ...]
    properties: Some[Property]
    cut: bool
    open: bool
    destroys: bool


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """What stood otherwise than the state said, before the plan was made."""

    name: str
    type: str
    gone: bool
    remark: str
    properties: Some[Property]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a policy pack warns of."""

    policy: str
    pack: str
    level: str
    urn: str
    message: str


@dataclass(frozen=True, kw_only=True)
class StackShown:
    """One page of a stack's plan.

    Attributes:
        problem: Why there is no plan; then nothing else counts but the digest.
        first, last: The numbers of the changes on this page, from 1.
        new: Whether there is nothing yet.
        lost: What holds something and is destroyed.
        drift: None where nobody looked for it.
        drift_problems: Why what is not listed is not proved absent.
    """

    digest: str
    problem: str = ""
    name: str = ""
    commit: str = ""
    counts: Sequence[tuple[ChangeKind, int]] = ()
    total: int = 0
    unchanged: int = 0
    new: bool = False
    cost: str = ""
    packs: Some[str] = field(default_factory=lambda: Some[str](()))
    lost: Some[str] = field(default_factory=lambda: Some[str](()))
    overwrites: Some[str] = field(default_factory=lambda: Some[str](()))
    changes: Sequence[Changed] = ()
    part: int = 1
    parts: int = 1
    first: int = 0
    last: int = 0
    outputs: Some[Property] = field(default_factory=lambda: Some[Property](()))
    drift: Some[Drifted] | None = None
    quiet: int = 0
    drift_problems: Some[str] = field(default_factory=lambda: Some[str](()))
    findings: Some[Finding] = field(default_factory=lambda: Some[Finding](()))
