"""Checkpoints: where every chain of audit files stood, signed outside of the processes that write them.

A chain shows that nobody changed it in the middle; whoever can write its file can write all of it anew. What they
cannot make is the signature under where it stood: the key lies in Vault, and no process that acts may sign with it.
Checkpoints are chained themselves, and go to the log store as well. Offline, but for the signing.
"""

import base64
import binascii
import hashlib
import re
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from activities.guard.audit import GENESIS
from hitl.approval.signing import PublicKeys
from hitl.canonical import NotCanonical, canonical_json, require_canonical

CHECKPOINT_TAG: Final = "banksman-audit-checkpoint/v1"
"""The first line of the signed bytes."""
AUDIT_KEY: Final = "audit"
"""The transit key in Vault that signs them, and nothing else."""
_SIGNATURE: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+={0,2})")

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class CheckpointError(ValueError):
    """A checkpoint cannot be used. The message says why."""


class Chain(BaseModel):
    """Where one chain stood."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=1, description="The number of the first event that was collected.")
    seq: int = Field(ge=1, description="Of the last one.")
    hash: _Hash = Field(description="Of the last one.")


class Checkpoint(BaseModel):
    """Where all of them stood, at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    seq: int = Field(ge=1, description="Checkpoints are counted, so that none can be left out.")
    prev: _Hash = Field(description="The hash of the text of the checkpoint before; zeros for the first.")
    time: str = Field(description="UTC, RFC 3339.")
    chains: dict[str, Chain] = Field(description="By the name of the process's role.")

    def text(self) -> str:
        """What is signed."""
        return f"{CHECKPOINT_TAG}\n{canonical_json(self.model_dump(mode='json'))}"


class SignedCheckpoint(BaseModel):
    """A checkpoint as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    signature: str = Field(description="Ed25519, in base64.")
    key_version: int = Field(ge=1)

    @classmethod
    def from_vault(cls, text: str, signature: str) -> "SignedCheckpoint":
        """With a signature in the form of Vault's transit engine, `vault:v1:…`.

        Raises:
            CheckpointError: It is not of that form.
        """
        found = _SIGNATURE.fullmatch(signature)
        if found is None:
            raise CheckpointError("this is not a signature of Vault's transit engine")
        return cls(text=text, signature=found[2], key_version=int(found[1]))

    @property
    def hash(self) -> str:
        """By which the next one names it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def read(self) -> Checkpoint:
        """What it says. Says nothing about the signature.

        Raises:
            CheckpointError: It is not one that this release writes.
        """
        tag, _, body = self.text.partition("\n")
        try:
            if tag != CHECKPOINT_TAG:
                raise CheckpointError(f"a checkpoint begins with {CHECKPOINT_TAG}, and this does not")
            require_canonical(body)
            return Checkpoint.model_validate_json(body, strict=True)
        except (NotCanonical, ValidationError) as error:
            raise CheckpointError("its text is not one that this release writes") from error

    def refuse(self, keys: PublicKeys) -> str | None:
        """Why its signature does not hold, or None where it does."""
        key = keys.get(self.key_version)
        if key is None:
            return f"it is signed with version {self.key_version} of the key, which was not given"
        try:
            key.verify(base64.b64decode(self.signature, validate=True), self.text.encode())
        except (InvalidSignature, binascii.Error, ValueError):
            return "it is not signed with this key: forged or changed"
        return None


def next_checkpoint(
    before: SignedCheckpoint | None, chains: dict[str, Chain], *, environment: str, time: str
) -> Checkpoint:
    """The one that follows.

    Raises:
        CheckpointError: The one before cannot be read.
    """
    return Checkpoint(
        environment=environment,
        seq=before.read().seq + 1 if before else 1,
        prev=before.hash if before else GENESIS,
        time=time,
        chains=chains,
    )
