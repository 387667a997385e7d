"""What a person's click becomes: a text that says everything it is good for, signed by the gateway.

The signed bytes hold every circumstance, so that nothing can be lifted into another run, plan, step or time: a
signature over person, verdict and digest alone can. The text travels as text, with its signature and the version of
the key; no field beside it is ever used. A grant is a list of such decisions and nothing else.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from hitl.canonical import NotCanonical, canonical_json, require_canonical
from hitl.hidden import nothing_hidden

DECISION_TAG: Final = "banksman-decision/v1"
"""The first line of the signed bytes: the same key signs nothing else that begins so."""

UNVERIFIED: Final = "unverified"
"""The requester of a goal that nobody vouches for, as one started by hand on a server that knows no names."""

MAX_DECISION_BYTES: Final = 16 * 1024
MAX_DECISIONS: Final = 50
MAX_COVERED: Final = 20
_LATER: Final = ("step_up", "steps", "also")
"""Fields that decisions of earlier releases do not have."""
_VAULT_SIGNATURE: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+={0,2})")
_IDENTITY: Final = r"^(slack|github|console|temporal):\S{1,200}$"
_DIGEST: Final = r"^sha256:[0-9a-f]{64}$"
_PERSON: Final = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class DecisionError(ValueError):
    """A decision's text cannot be used. The message says why."""


class Verdict(StrEnum):
    """What a person decided."""

    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    WITHDRAW = "withdraw"
    """By the requester, who no longer wants it."""


class Surface(StrEnum):
    """Where a person decided."""

    SLACK = "slack"
    CONSOLE = "console"
    GITHUB = "github"

    @property
    def doors(self) -> frozenset[str]:
        """How the identities begin of those who can decide there: who vouches for whom the surface has before it."""
        return _DOORS.get(self, frozenset({self.value}))


_DOORS: Final = {Surface.CONSOLE: frozenset({"console", "github"})}
"""People sign in to the console by GitHub, too."""


def _utc(value: datetime) -> datetime:
    if value.utcoffset() != timedelta():
        raise ValueError("is not in UTC")
    return value.astimezone(UTC)


Id = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Digest = Annotated[str, StringConstraints(pattern=_DIGEST)]
PersonName = Annotated[str, StringConstraints(pattern=_PERSON)]
Identity = Annotated[str, StringConstraints(pattern=_IDENTITY)]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Encoded = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,2000}$")]
"""Bytes, in base64 for addresses, without padding."""


class StepUp(BaseModel):
    """That the person confirmed with a key of their own, as the browser brought it: whoever checks, checks it whole.

    The gateway signs it with the decision and cannot make it: it holds nobody's key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["webauthn"]
    credential: Encoded = Field(description="The credential's id.")
    nonce: Nonce
    asked_at: Moment = Field(description="When the challenge was made.")
    authenticator_data: Encoded
    client_data: Encoded
    signature: Encoded


class CoveredStep(BaseModel):
    """A step of a plan of many that a person's decision counts for: one whose rule names a group of theirs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int = Field(ge=1, le=MAX_COVERED)
    action: Id


class Decision(BaseModel):
    """All that is signed. Every identifier is a non-empty string: one signed as null once ran a step without a run.

    Ids are as the server says them, never as a workflow's input does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Id
    cluster: Id = Field(description="The Temporal cluster's id.")
    namespace: Id
    workflow_id: Id = Field(description="Of the goal that will run the step: the approval's parent.")
    run_id: Id = Field(description="Of that goal.")
    action: Id = Field(description="The step's name; `sequence` for a plan of many.")
    step_id: Id = Field(description="The activity id of the step; of a plan of many, what is before the position.")
    plan_digest: Digest
    rule_digest: Digest
    requester: Annotated[str, StringConstraints(pattern=rf"{_IDENTITY}|^{UNVERIFIED}$")] = Field(
        description="The identity that asked for the goal, as a server or the gateway vouches for it; or `unverified`."
    )
    person: PersonName = Field(description="As the policy names them.")
    identity: Identity = Field(description="By which the surface knew them, as in `slack:U0ALICE`.")
    surface: Surface
    verdict: Verdict
    reason: Annotated[str, AfterValidator(nothing_hidden)] = Field(default="", max_length=500)
    approval_id: Id
    approval_run_id: Id
    decided_at: Moment
    expires_at: Moment = Field(description="Nothing is carried out on it from here on.")
    nonce: Nonce
    step_up: StepUp | None = None
    steps: Annotated[tuple[CoveredStep, ...], Field(max_length=MAX_COVERED)] | None = Field(
        default=None, description="What it counts for, in a plan of many steps; None in a plan of one."
    )
    also: Annotated[tuple[Id, ...], Field(max_length=MAX_COVERED)] | None = Field(
        default=None,
        description="Of the groups of which somebody must be among those who approve, those that this person is of; "
        "None where the rule names none.",
    )

    def text(self) -> str:
        """The text to be signed. Without a step-up or steps it is the same as before there were any."""
        said = self.model_dump(mode="json", exclude={name for name in _LATER if getattr(self, name) is None})
        return f"{DECISION_TAG}\n{canonical_json(said)}"


class SignedDecision(BaseModel):
    """A decision as it travels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, StringConstraints(max_length=MAX_DECISION_BYTES)]
    signature: Annotated[str, StringConstraints(max_length=200)] = Field(description="Ed25519, in base64.")
    key_version: int = Field(ge=1, lt=10**9)

    @classmethod
    def from_vault(cls, text: str, signature: str) -> "SignedDecision":
        """With a signature in the form of Vault's transit engine, `vault:v1:…`.

        Raises:
            DecisionError: It is not of that form.
        """
        found = _VAULT_SIGNATURE.fullmatch(signature)
        if found is None:
            raise DecisionError("this is not a signature of Vault's transit engine")
        return cls(text=text, signature=found[2], key_version=int(found[1]))

    def signature_bytes(self) -> bytes:
        """The raw signature; empty where it is not base64, which no key verifies."""
        try:
            return base64.b64decode(self.signature, validate=True)
        except (binascii.Error, ValueError):
            return b""


def read_decision(text: str) -> Decision:
    """Read a decision from its signed text, strictly. Says nothing about the signature.

    Raises:
        DecisionError: It is not one that this release writes.
    """
    tag, _, body = text.partition("\n")
    if tag != DECISION_TAG:
        raise DecisionError(f"a decision begins with {DECISION_TAG}, and this does not")
    try:
        require_canonical(body)
        return Decision.model_validate_json(body, strict=True)
    except NotCanonical as error:
        raise DecisionError(f"the decision's text is refused: {error}") from error
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, found["loc"])) or "the whole"
        raise DecisionError(f"the decision is refused: {where}: {found['msg']}") from error


def grant_nonce(decisions: Sequence[Decision]) -> str:
    """What a grant is used up by: the same for every choice of decisions from one approval.

    A nonce per decision was not enough: of three approvals where two suffice, another pair would act again.
    """
    first = decisions[0]
    parts = (first.cluster, first.namespace, first.approval_id, first.approval_run_id)
    return hashlib.sha256("\0".join(("banksman-grant/v1", *parts)).encode()).hexdigest()[:32]


def position_nonce(decisions: Sequence[Decision], position: int) -> str:
    """What one step of a plan of many is used up by."""
    return f"{grant_nonce(decisions)}-{position}"
