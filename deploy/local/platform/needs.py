"""What a release may ask of others: the needs in the manifest among its files, and nothing besides.

The manifest is part of what people approved. Whose needs they are is told by its name: a service is given those of a
manifest that is its own.
"""

from collections.abc import Mapping
from typing import Final

from deploy.local.platform.model import Release
from workflows.manifest.manifest import FILE_NAME
from workflows.manifest.needs import NeonNeed, QdrantNeed, RedisNeed
from workflows.manifest.reading import ManifestError, read_manifest

Asked = NeonNeed | RedisNeed | QdrantNeed
_NONE: Final[Mapping[str, Asked]] = {}


class NotItsOwn(Exception):
    """The manifest among the files cannot be a release's own; the message says why."""


def needs_of(release: Release, service: str) -> Mapping[str, Asked]:
    """Those of a release, by name; none where there is no manifest among its files.

    Args:
        release: Which one.
        service: The name that it runs under.

    Raises:
        NotItsOwn: It has a mistake, or is another service's.
    """
    text = release.files.get(FILE_NAME)
    if text is None:
        return _NONE
    try:
        manifest = read_manifest(text.encode()).manifest
    except ManifestError as error:
        raise NotItsOwn(f"{FILE_NAME} among the files has a mistake: {error}") from error
    name = manifest.service.name
    if service != name and not service.startswith(f"{name}-"):
        raise NotItsOwn(f"{FILE_NAME} among the files is that of {name!r}, and this is {service!r}")
    return {name: need for _, _, need, name in manifest.needs.named() if isinstance(need, Asked)}
