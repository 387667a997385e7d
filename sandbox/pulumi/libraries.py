"""The Python packages that a program needs, fetched before and apart from it: an ordinary run with a way to a registry.

What comes out is one archive under the digest of its content. The preview and the up are given that same archive, so
that nothing can be exchanged between the two.
"""

from collections.abc import Sequence
from typing import Final

from sandbox.spec import MIB, ImageDigest, InputArtifact, InputFile, Limits, Purpose, RunSpec

ARCHIVE: Final = "libraries.tar"
"""The artifact of the run: `Program.libraries` is its reference."""

_LIMITS: Final = Limits(
    memory_bytes=2048 * MIB, cpus=2, workspace_bytes=1536 * MIB, tmp_bytes=256 * MIB, wall_seconds=900,
    artifact_bytes=640 * MIB, artifact_files=1,
)  # fmt: skip
# Sorted and without times: the same packages give the same archive. What a requirements file names beside it is
# looked for where it lies.
_SCRIPT: Final = f"""
workspace=$PWD
mkdir libraries
cd "$(dirname "$0")"
pip install --quiet --no-cache-dir --no-compile --disable-pip-version-check --target "$workspace/libraries" \\
  --requirement "$(basename "$0")"
cd "$workspace"
tar --create --file {ARCHIVE} --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory libraries .
"""


def libraries_spec(  # noqa: PLR0913 - each is a part of the run
    run_id: str,
    image: ImageDigest,
    requirements: str,
    *,
    purpose: Purpose | None,
    files: Sequence[InputFile] = (),
    inputs: Sequence[InputArtifact] = (),
) -> RunSpec:
    """A run that leaves the packages of a requirements file as the artifact `ARCHIVE`.

    Args:
        run_id: Names it.
        image: The image with Pulumi, whose Python the packages are for.
        requirements: The requirements file, below the files or what is unpacked.
        purpose: Whose mirror leads to the registry; None where the files hold all that is needed.
        files: Of the repository: the requirements file, and others that it names.
        inputs: The same as an archive.
    """
    return RunSpec(
        run_id=run_id,
        image=image,
        argv=("/bin/sh", "-euc", _SCRIPT, requirements),
        files=tuple(files),
        inputs=tuple(inputs),
        artifacts=(ARCHIVE,),
        limits=_LIMITS,
        purpose=purpose,
        work="packages",
    )
