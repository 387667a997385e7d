"""Where Neon's published description is."""

from typing import Final

from tests.connectors.description import Published

NEON: Final = Published("neon.yaml", error="GeneralError")
