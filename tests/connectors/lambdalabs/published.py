"""Where Lambda's published description is."""

from typing import Final

from tests.connectors.description import Published

LAMBDA: Final = Published("lambda-cloud.json", prefix="/api/v1")
"""Version 1.8.3."""
