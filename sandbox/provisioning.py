"""What whoever prepares an engine for the sandbox tells its workers: where it is, and which images it holds."""

from collections.abc import Set as AbstractSet
from typing import Literal

from pydantic import BaseModel, ConfigDict


class BuiltImage(BaseModel):
    """One image as the engine holds it.

    Attributes:
        digest: `sha256:` and the digest of the image's configuration, by which runs name it.
        inputs: The digest of everything that went into it; a change builds it again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    inputs: str


class Images(BaseModel):
    """The record of a build.

    Attributes:
        base: Where commands run.
        proxy: The allow-list proxy, and the mirror of package registries.
        pulumi: The base with Pulumi's CLI; None where it was never asked for.
        updates: The base with the tools that write lock files; None where it was never asked for.
        foundation: What all stand on: the official image or the one that `debootstrap` made, and its digest.
    """

    model_config = ConfigDict(frozen=True)  # what a newer release adds to the record is nothing to an older one

    base: BuiltImage
    proxy: BuiltImage
    pulumi: BuiltImage | None = None
    updates: BuiltImage | None = None
    foundation: str

    @property
    def digests(self) -> AbstractSet[str]:
        """Of the images that were built; the foundation may be others' as well."""
        return {image.digest for image in (self.base, self.proxy, self.pulumi, self.updates) if image is not None}


class EngineFound(BaseModel):
    """An engine that is ready.

    Attributes:
        host: `unix://` and the engine's socket.
        images: The file with the record of the images, as `python -m deploy.images` writes it.
        pulumi: How far the image with Pulumi is; the record may hold an older one all the while.
        problem: Why there is none.
    """

    model_config = ConfigDict(frozen=True)

    host: str
    images: str
    pulumi: Literal["building", "ready", "missing"] = "building"
    problem: str = ""
