"""Where what is too large for a workflow history is kept: a folder, or S3 by configuration."""

from connectors.artifacts.dated import DatedStore
from connectors.artifacts.store import ArtifactStore

__all__ = ["ArtifactStore", "DatedStore"]
