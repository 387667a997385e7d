"""A project's policy packs: what their files say, read as untrusted and written anew for the engine.

A pack is a folder `policies/` beside `Pulumi.yaml`, or one right below it, that holds a `PulumiPolicy.yaml`. Its code
runs where the program's does; the engine is given a folder of the same name with the few files of here.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Final, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from sandbox.errors import SpecRefused
from sandbox.pulumi.project import read_mapping, require_python

FOLDER: Final = "policies"
"""Where packs are, beside `Pulumi.yaml`."""
PACK: Final = "PulumiPolicy.yaml"
CONFIG: Final = "policy-config.json"
PACKS: Final = "packs"
"""Where the engine's container has them, below its workspace."""
MOST: Final = 8
"""Packs of one project."""

_PLACE: Final = re.compile(rf"{FOLDER}(/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,62}})?")
_LEVELS: Final = frozenset({"advisory", "mandatory", "disabled"})
_LEVEL: Final = "enforcementLevel"


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError(f"a policy pack lies in {FOLDER!r} or right below, in a folder of letters, digits, '_.-'")
    return text


class PolicyPack(BaseModel):
    """One.

    Attributes:
        folder: Below the folder of `Pulumi.yaml`.
        version: As its file says it.
        config: By policy, its level or its configuration; `all` is for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Annotated[str, AfterValidator(_place)]
    version: str = Field(default="", max_length=100)
    config: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    def written(self) -> Mapping[str, bytes]:
        """The files that the engine is given, by name."""
        said = {"runtime": "python", "version": self.version}
        # To the engine an empty file is none.
        config = json.dumps(dict(self.config)) if self.config else ""
        return {PACK: yaml.safe_dump(said, sort_keys=True).encode(), CONFIG: config.encode()}


def read_pack(folder: str, said: bytes, config: bytes | None) -> PolicyPack:
    """A pack of a repository's.

    Args:
        folder: Where it lies, below the folder of `Pulumi.yaml`.
        said: Its `PulumiPolicy.yaml`.
        config: Its `policy-config.json`; None: it has none.

    Raises:
        SpecRefused: It is in another language, in a folder that cannot be named, or one of the files is not valid.
    """
    name = f"{folder[:200]}/{PACK}"
    if not _PLACE.fullmatch(folder):
        raise SpecRefused(f"{name!r} cannot be used: rename its folder to letters, digits, '_', '.' and '-'")
    fields = read_mapping(said, name, known={"runtime", "version", "description"})
    require_python(fields.get("runtime"), name)
    version = fields.get("version")
    if version is not None and not (isinstance(version, str) and len(version) <= 100):  # noqa: PLR2004 - as the field
        raise SpecRefused(f"'version' in {name!r} must be a text such as '1.0.0': repair it")
    return PolicyPack(folder=folder, version=version or "", config=_config(config, f"{folder}/{CONFIG}"))


def _config(text: bytes | None, name: str) -> Mapping[str, JsonValue]:
    if text is None or not text.strip():
        return {}
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecRefused(f"{name!r} is no JSON: {str(error)[:100]!r}; repair it") from error
    if not isinstance(said, dict):
        raise SpecRefused(f"{name!r} must be an object of policies and their configuration: repair it")
    found = cast("dict[str, JsonValue]", said)
    for policy, value in found.items():
        level = value.get(_LEVEL, "advisory") if isinstance(value, dict) else value
        if not isinstance(level, str) or level not in _LEVELS:
            raise SpecRefused(
                f"the level {str(level)[:40]!r} of {policy[:80]!r} in {name!r} is none of "
                f"{', '.join(sorted(_LEVELS))}: packs may not change resources here"
            )
    return found
