"""Which programs they are; apart from what finds them, which commands that read options need not load."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Where the four programs lie."""

    prometheus: Path
    collector: Path
    log_store: Path
    jaeger: Path
