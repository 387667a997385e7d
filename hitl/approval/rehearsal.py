"""What a rehearsal found that a goal would do: the list that people see with the plan, and that the real run keeps to.

An effect is known by what people would know it by: the step, and the names of what it touches. Ids that a run makes
for itself (the number of a pull request that it opens, a state's digest, a time) are in no identity: they differ
between the rehearsal and the real run, though nothing else does.

A plan of goals has one document for all of its goals, which says of each of its steps which effects are that step's.

The document is no credential. It allows nothing that the goal could not do without it; it only makes the goal halt.
Light enough for workflow code and for plans. Versions are closed: another field is another version. Version 1 does not
say what was not copied, and version 3 is of a plan; documents of earlier ones are taken as they are.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hitl.canonical import canonical_json, tagged_digest
from hitl.hidden import nothing_hidden, visible

MOST_EFFECTS: Final = 100
MOST_NAMES: Final = 12
"""Of one effect; what is more is said by its number and a digest of all of them."""

MOST_COPIED: Final = 50
MOST_LEFT: Final = 50
MOST_STEPS: Final = 50
_FIRST: Final = "banksman-rehearsal/1"
_SECOND: Final = "banksman-rehearsal/2"
_OF_A_PLAN: Final = "banksman-rehearsal/3"
_PLAYED: Final = ("pulumi.update_stack", "pulumi.destroy_stack")
_LONGEST: Final = 200
_LONGEST_LINE: Final = 500
_NO_DIGEST: Final = "sha256:" + "0" * 64
_TAG: Final = "banksman-rehearsal/v1"
_NAMES_TAG: Final = "banksman-effect-names/v1"
_STEP_TAG: Final = "banksman-rehearsed-step/v1"

Name = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST), AfterValidator(nothing_hidden)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_LINE), AfterValidator(nothing_hidden)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RehearsedEffect(_Part):
    """One thing that a goal does to the world."""

    action: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$", max_length=128)]
    on: Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES + 1)] = Field(
        description="What people know it by, as in `repository acme/shop` and `branch feature/basket`."
    )
    cents: int | None = Field(default=None, ge=0, le=10**12, description="US cents that it costs at most.")
    milliseconds: int | None = Field(default=None, ge=0, description="How long it took in the rehearsal.")

    @property
    def identity(self) -> tuple[str, tuple[str, ...]]:
        """By which it is compared: neither its cost nor its time."""
        return self.action, self.on

    def words(self) -> str:
        """As people read it, in one line."""
        line = f"{self.action}: {', '.join(self.on)}" if self.on else self.action
        return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


class RehearsalShown(_Part):
    """What a plan says of the rehearsal before it: in the plan's text, and so under the digest that people approve."""

    digest: Digest
    effects: Annotated[tuple[Line, ...], Field(max_length=MOST_EFFECTS)]
    surprises: Annotated[tuple[Line, ...], Field(max_length=MOST_EFFECTS)] = Field(
        default=(), description="What this plan would do and the rehearsal did not."
    )
    left: Annotated[tuple[Line, ...], Field(max_length=MOST_LEFT)] = Field(
        default=(),
        exclude_if=lambda value: not value,  # so that a plan of an earlier release keeps its bytes
        description="What is there and was not copied for the rehearsal.",
    )

    def told(self) -> list[str]:
        """A line for each effect, the surprises first."""
        return [
            *(f"NOT REHEARSED {one}" for one in self.surprises),
            *map(_how, self.effects),
            *(f"not copied for it {one}" for one in self.left),
        ]


class RehearsedStep(_Part):
    """One step of a plan in the rehearsal of all of it, in the order in which they run."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    goal: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    inputs: Digest = Field(description="Of the literal inputs that it was rehearsed with.")
    of: Digest | None = Field(default=None, description="The digest of its goal's input; none where it did not run.")
    effects: int = Field(default=0, ge=0, description="So many of the document's effects, which are in order.")
    why: Line | None = Field(default=None, description="Why it was not rehearsed.")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.of is None) != (self.why is not None) or (self.of is None and self.effects):
            raise PydanticCustomError("rehearsal", "a step was rehearsed, or it is said why it was not")
        return self


class Rehearsal(_Part):
    """The document that a rehearsal ends with, and that the real run of the same goal is given."""

    kind: Literal["banksman-rehearsal/1", "banksman-rehearsal/2", "banksman-rehearsal/3"] = "banksman-rehearsal/2"
    goal: str = Field(max_length=128, description="The goal that was rehearsed.")
    of: Digest = Field(description="The digest of the goal's input: it is of no use to another one.")
    made_at: AwareDatetime
    copied: Annotated[tuple[Line, ...], Field(max_length=MOST_COPIED)] = Field(
        description="What of the providers the twins were made from, and how it stood then."
    )
    left: Annotated[tuple[Line, ...], Field(max_length=MOST_LEFT)] = Field(
        default=(), description="What is there and was not copied, so that the rehearsal did not see it."
    )
    effects: Annotated[tuple[RehearsedEffect, ...], Field(max_length=MOST_EFFECTS)] = Field(
        description="All that the goal did, each once, in the order in which it began."
    )
    milliseconds: int = Field(ge=0, description="How long the goal took, approvals given at once.")
    steps: Annotated[tuple[RehearsedStep, ...], Field(max_length=MOST_STEPS)] = Field(
        default=(),
        exclude_if=lambda value: not value,  # so that an earlier release reads what is of no plan
        description="Of a plan: its steps that act, and which effects are whose.",
    )
    digest: Digest = Field(description="Of all the other fields.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        unsaid = (self.left and self.kind == _FIRST) or (self.steps and self.kind != _OF_A_PLAN)
        unclear = self.steps and sum(one.effects for one in self.steps) != len(self.effects)
        if self.digest != self.digest_of_fields() or unsaid or unclear:
            text = (
                "the rehearsal is not as it was made: its digest is another one. Rehearse again, and hand on the "
                "document as it is"
            )
            raise PydanticCustomError("rehearsal", text)
        return self

    @property
    def cents(self) -> int | None:
        """US cents that all of it costs at most; None where no effect says."""
        said = [one.cents for one in self.effects if one.cents is not None]
        return sum(said) if said else None

    def digest_of_fields(self) -> str:
        """What its digest has to be."""
        fields = self.model_dump(mode="json", exclude={"digest", "left"} if self.kind == _FIRST else {"digest"})
        return tagged_digest(_TAG, canonical_json(fields))

    @classmethod
    def sealed(  # noqa: PLR0913 - each is a field
        cls,
        *,
        goal: str,
        of: str,
        made_at: datetime,
        copied: tuple[str, ...],
        left: tuple[str, ...] = (),
        effects: tuple[RehearsedEffect, ...],
        milliseconds: int,
        steps: tuple[RehearsedStep, ...] = (),
    ) -> Self:
        """A document with its digest.

        Raises:
            ValueError: A field is wrong.
        """
        draft = cls.model_construct(
            kind=_OF_A_PLAN if steps else _SECOND,
            goal=goal,
            of=of,
            made_at=made_at,
            copied=copied,
            left=left,
            effects=effects,
            milliseconds=milliseconds,
            steps=steps,
            digest=_NO_DIGEST,
        )
        return cls.model_validate({**dict(draft), "digest": draft.digest_of_fields()})

    def of_step(self, step: str, goal: str, inputs: str) -> Self | None:
        """What one step of the plan keeps to: a document of its own goal; None where this step was not rehearsed.

        Args:
            step: Its id.
            goal: What it runs.
            inputs: The digest of what it is given.
        """
        before = 0
        for one in self.steps:
            if (one.id, one.goal, one.inputs) == (step, goal, inputs) and one.of is not None:
                return self.sealed(
                    goal=goal,
                    of=one.of,
                    made_at=self.made_at,
                    copied=(f"step {one.id} of the rehearsal {self.digest}", *self.copied)[:MOST_COPIED],
                    left=self.left,
                    effects=self.effects[before : before + one.effects],
                    milliseconds=self.milliseconds,
                )
            before += one.effects
        return None

    def lists(self, effect: RehearsedEffect) -> bool:
        """Whether the rehearsal did this, too."""
        return any(effect.identity == one.identity for one in self.effects)

    def shown(self, surprises: tuple[RehearsedEffect, ...] = ()) -> RehearsalShown:
        """As a plan says it."""
        return RehearsalShown(
            digest=self.digest,
            effects=tuple(one.words() for one in self.effects),
            surprises=tuple(one.words() for one in surprises),
            left=self.left,
        )


def digest_of_inputs(goal: str, inputs: JsonValue) -> str:
    """What a plan's step is compared by: its goal, and every literal that this is given.

    Raises:
        NotCanonical: They cannot be written alike everywhere.
    """
    return tagged_digest(_STEP_TAG, canonical_json([goal, inputs]))


def _how(effect: str) -> str:
    """A change of a stack is rehearsed up to where its providers would begin; what they would meet is not."""
    return f"rehearsed with its providers played {effect}" if effect.startswith(_PLAYED) else f"rehearsed {effect}"


def names(*words: str) -> tuple[str, ...]:
    """Names as an effect has them: nothing hidden in them, each short, not too many, and none alike by the cut."""
    every = tuple(visible(one) for one in words)
    kept = tuple(one if len(one) <= _LONGEST else f"{one[:150]}… {_short(one)}" for one in every[:MOST_NAMES])
    rest = every[MOST_NAMES:]
    return (*kept, f"and {len(rest)} more {_short(*rest)}") if rest else kept


def _short(*words: str) -> str:
    return tagged_digest(_NAMES_TAG, canonical_json(list(words)))[:19]
