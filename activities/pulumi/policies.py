"""A commit's policy packs: which there are, and what their few files say that a worker reads."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from activities.pulumi.files import LONGEST, packages_of
from connectors.errors import InvalidRequest
from sandbox.pulumi.policies import CONFIG, MOST, PACK, PolicyPack, read_pack

_REQUIREMENTS: Final = "requirements.txt"


def packs_of(packed: bytes) -> tuple[PolicyPack, ...]:
    """Of the archive that the check-out leaves.

    Raises:
        InvalidRequest: There are too many, or one needs a package by itself.
        SpecRefused: One is in another language, or its files are not valid.
    """
    files = _files(packed)
    folders = sorted({str(path.parent) for path in files if path.name == PACK})
    if len(folders) > MOST:
        raise InvalidRequest(f"the project has {len(folders)} policy packs, and {MOST} is the most: put some together")
    return tuple(_pack(PurePosixPath(folder), files) for folder in folders)


def _pack(folder: PurePosixPath, files: Mapping[PurePosixPath, bytes]) -> PolicyPack:
    if packages := _needs(files.get(folder / _REQUIREMENTS, b""), folder):
        raise InvalidRequest(
            f"the policy pack {str(folder)!r} needs the package {packages[0][:80]!r}: name it in the "
            f"{_REQUIREMENTS!r} beside 'Pulumi.yaml', which programs and packs share"
        )
    return read_pack(str(folder), files[folder / PACK], files.get(folder / CONFIG))


def _needs(requirements: bytes, folder: PurePosixPath) -> Sequence[str]:
    try:
        return packages_of(requirements)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{_REQUIREMENTS!r} in {str(folder)!r} is no UTF-8: repair it") from error


def _files(packed: bytes) -> Mapping[PurePosixPath, bytes]:
    found: dict[PurePosixPath, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
            for entry in tar:
                content = tar.extractfile(entry) if entry.isreg() and entry.size <= LONGEST else None
                if content is not None:
                    found[PurePosixPath(entry.name)] = content.read()
    except tarfile.TarError as error:
        raise InvalidRequest("the files of the policy packs cannot be read: commit them as plain files") from error
    return found
