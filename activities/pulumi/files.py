"""A commit taken apart into what the engine and the program of its stacks are given, each by digest.

The commit comes as a pack that nobody has opened; it is checked out in an ordinary run of the sandbox, which leaves the
project's folder as one archive and the few files that are read here. Nothing of the repository is opened by a worker
but these, and they are read as untrusted.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.sandbox.contracts import Source
from connectors.pulumi.digests import ConfigValue, Digest, configuration_digest, program_digest
from sandbox.pulumi.policies import CONFIG, FOLDER, MOST, PACK, PolicyPack
from sandbox.pulumi.project import Project, StackSettings
from sandbox.pulumi.request import Program
from sandbox.spec import MIB, InputArtifact, Limits, RunSpec

PROJECT: Final = "Pulumi.yaml"
PROGRAM: Final = "program.tar"
REQUIREMENTS: Final = "requirements.txt"
POLICIES: Final = "policies.tar"
"""The few files of policy packs that are read here; their code is in the program's archive."""
MARK: Final = "checked-out"
LONGEST: Final = 256 * 1024
"""Bytes of a file that is read."""

_PACK: Final = "repository.pack"
NO_FOLDER: Final = 66
"""How the checkout ends where the commit has no such folder."""
_SECONDS: Final = 300.0
_ARCHIVE_BYTES: Final = 256 * MIB
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_IN_THE_IMAGE: Final = frozenset({"pulumi", "pulumi-policy"})
_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[|[<>=!~;@ ]|$)")
# Runs inside, where a hostile repository meets git and tar and has nothing to gain. Sorted, without times, owners and
# the checkout's own folder: one commit is one archive. A file that is a link is taken as what it leads to, which can
# only lie in this container.
_SCRIPT: Final = f"""\
commit=$1; folder=$2; settings=$3
workspace=$PWD
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
umask 022
git init --quiet tree
git -C tree index-pack --stdin < {_PACK} > /dev/null
rm {_PACK}
printf '%s\\n' "$commit" > tree/.git/shallow
git -C tree -c advice.detachedHead=false checkout --quiet --detach "$commit"
rm -rf tree/.git
: > {MARK}
if [ ! -d "tree/$folder" ]; then exit {NO_FOLDER}; fi
cd "tree/$folder"
for name in {PROJECT} "$settings" {REQUIREMENTS}; do
  if [ -f "$name" ]; then cp "$name" "$workspace/$name"; fi
done
set --
for pack in {FOLDER} {FOLDER}/*; do
  if [ -f "$pack/{PACK}" ]; then
    for name in {PACK} {CONFIG} {REQUIREMENTS}; do
      if [ -f "$pack/$name" ]; then set -- "$@" "$pack/$name"; fi
    done
  fi
done
if [ $# -gt 0 ]; then tar --create --file "$workspace/{POLICIES}" --format=gnu --dereference --hard-dereference "$@"; fi
tar --create --file "$workspace/{PROGRAM}" --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
"""


class StackFiles(BaseModel):
    """All that a run needs of a project at one commit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    folder: str
    commit: str
    stack: str
    project: Project
    settings: StackSettings
    archive: Digest = Field(description="The project's folder, as a tar.")
    libraries: Digest | None = Field(default=None, description="The Python packages that it needs, as a tar.")
    policies: tuple[PolicyPack, ...] = Field(default=(), max_length=MOST)

    @property
    def program(self) -> Program:
        """What the program's container is given."""
        return Program(archive=self.archive, libraries=self.libraries, policies=self.policies)

    @property
    def program_digest(self) -> Digest:
        """Of the archives, each of which is known by the digest of its content."""
        parts = {PROGRAM: self.archive, "libraries.tar": self.libraries or ""}
        return program_digest({name: digest.encode() for name, digest in parts.items()})

    @property
    def configuration_digest(self) -> Digest:
        """Of the stack's configuration and of what the project says of it; of a secret, of its ciphertext."""
        values = {key: _value(key, value) for key, value in self.settings.config.items()}
        # No key of a configuration has a space.
        values["the project"] = ConfigValue(plain=_text(self.project.model_dump(mode="json")))
        return configuration_digest(values)


def settings_name(stack: str) -> str:
    """Of the stack's file."""
    return f"Pulumi.{stack}.yaml"


def check_out_spec(  # noqa: PLR0913 - each is a part of the run
    run_id: str, image: str, source: Source, *, folder: str, stack: str, limits: Limits
) -> RunSpec:
    """A run that takes a commit apart.

    Raises:
        ValueError: It cannot be: the folder is no plain path, the commit no id, or the pack no artifact.
    """
    settings = settings_name(stack)
    if folder != "." and any(part in {"", ".", ".."} for part in folder.split("/")):
        raise ValueError(f"the folder {folder[:80]!r} is no plain relative path")
    if not _COMMIT.fullmatch(source.commit):
        raise ValueError(f"{source.commit[:80]!r} is no id of a commit")
    return RunSpec(
        run_id=run_id,
        image=image,
        argv=("sh", "-euc", _SCRIPT, "sh", source.commit, folder, settings),
        inputs=(InputArtifact(reference=source.pack, path=_PACK),),
        artifacts=(MARK, PROGRAM, PROJECT, settings, REQUIREMENTS, POLICIES),
        limits=limits.model_copy(update={"wall_seconds": _SECONDS, "artifact_bytes": _ARCHIVE_BYTES}),
    )


def packages_of(requirements: bytes) -> Sequence[str]:
    """The lines of a requirements file that name more than Pulumi's own libraries, which the image has.

    Raises:
        UnicodeDecodeError: It is no UTF-8.
    """
    joined = requirements.decode().replace("\\\n", " ")
    lines = (line.partition("#")[0].strip() for line in joined.splitlines())
    return [line for line in lines if line and not _is_pulumi(line)]


def _is_pulumi(line: str) -> bool:
    named = _NAME.match(line)
    by_address = "@" in line.partition(";")[0]
    return named is not None and re.sub("[-_.]+", "-", named[1]).lower() in _IN_THE_IMAGE and not by_address


def _value(key: str, value: JsonValue) -> ConfigValue:
    if isinstance(value, dict) and set(value) == {"secure"}:
        return ConfigValue(secret=f"{key}: {value['secure']}")
    return ConfigValue(plain=_text(value))


def _text(value: JsonValue | Mapping[str, JsonValue]) -> str:
    return json.dumps(value, sort_keys=True)
