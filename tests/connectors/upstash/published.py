"""Where Upstash's published description is."""

from typing import Final

from tests.connectors.description import Published

UPSTASH: Final = Published("upstash.yaml", error="Error")
