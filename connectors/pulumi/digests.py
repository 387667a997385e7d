"""What exactly was approved, as digests: program, configuration, plan file, image and state; compared before an up.

A saved plan of Pulumi's pins resources, operations and inputs, and nothing of what was there before: with CLI 3.200 a
plan made before somebody else's update was applied, with exit code 0. So all of it is pinned here.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.pulumi.identity import state_identity
from hitl.canonical import canonical_json, tagged_digest

_PROGRAM: Final = "banksman-pulumi-program/v1"
_CONFIGURATION: Final = "banksman-pulumi-configuration/v1"
_APPROVED: Final = "banksman-pulumi-approved/v1"

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Identity = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ConfigValue(BaseModel):
    """One value of a stack's configuration.

    Attributes:
        plain: The value; None for a secret.
        secret: Where the secret lies and in which version, as in `vault:kv/shop#password@3`. Its value is in no
            digest: a short one could be guessed from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plain: str | None = None
    secret: str | None = None


class ApprovedInputs(BaseModel):
    """What an up depends on.

    Attributes:
        commit: Of the program's repository.
        program: Of the archive that the program's container is given, dependencies included.
        configuration: Of the stack's.
        plan_file: Of what `--save-plan` wrote; it is what `--plan` must be given.
        image: Of the engine, with its CLI and providers, by digest.
        program_image: Of the program's container.
        state: The state's identity.
        update_version: Of the last update, on Pulumi Cloud; other backends have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    program: Digest
    configuration: Digest
    plan_file: Digest
    image: Digest
    program_image: Digest
    state: Identity
    update_version: int | None = Field(default=None, ge=0)

    def digest(self) -> str:
        """One digest over all of it."""
        return tagged_digest(_APPROVED, canonical_json(self.model_dump(mode="json")))

    def differences(self, now: "ApprovedInputs") -> tuple[str, ...]:
        """What is no longer as it was approved, by name; any is a `Conflict`, and the approval void."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) != getattr(now, name))


def program_digest(files: Mapping[str, bytes]) -> str:
    """Of a program's files by path: the same whatever order or times an archive gives them."""
    listed = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return tagged_digest(_PROGRAM, json.dumps(listed, sort_keys=True))


def configuration_digest(values: Mapping[str, ConfigValue]) -> str:
    """Of a stack's configuration."""
    plain = {name: value.model_dump(mode="json") for name, value in values.items()}
    return tagged_digest(_CONFIGURATION, json.dumps(plain, sort_keys=True))


def content_digest(content: bytes) -> str:
    """Of a plan file as it is; the artifact store names it alike."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


__all__ = [
    "ApprovedInputs",
    "ConfigValue",
    "configuration_digest",
    "content_digest",
    "program_digest",
    "state_identity",
]
