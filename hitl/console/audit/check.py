"""Whether what the gateway collected is whole: chains, signatures, and the one against the other.

It is what `banksman audit verify` does with an export, with the keys that Vault publishes now. It takes memory and time
by the length of the log: once it is longer than a page can wait for, the page says which commands do it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from activities.guard.audit_checkpoint import CheckpointError
from activities.guard.audit_collect import chain_files, checkpoints
from activities.guard.audit_export import Export, ExportReport, verify_export
from hitl.approval.signing import public_key

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of all chains that are checked for a page."""


@dataclass(frozen=True, kw_only=True)
class AuditCheck:
    """What was found.

    Attributes:
        at: When.
        report: None where nothing was checked.
        problem: Why nothing was; empty where it was.
    """

    at: datetime
    report: ExportReport | None = None
    problem: str = ""


def check_book(folder: Path, keys: Mapping[int, bytes]) -> AuditCheck:
    """Check all of it. Blocks.

    Args:
        folder: The collector's.
        keys: The raw public halves of the key `audit`, by version.

    Raises:
        OSError: The files cannot be read.
    """
    now = datetime.now(UTC)
    if sum(path.stat().st_size for _, path in chain_files(folder)) > LONGEST:
        return AuditCheck(
            at=now, problem=f"It is longer than the {LONGEST // 1024 // 1024} MB that are checked for a page."
        )
    try:
        # Before the chains: what is collected meanwhile is behind the last checkpoint, and not missing.
        signed = list(checkpoints(folder))
    except CheckpointError as error:
        return AuditCheck(at=now, report=ExportReport(problems=[str(error)]))
    export = Export(exported_at="now", chains=dict(_chains(folder)), checkpoints=signed)
    report = verify_export(export, {version: public_key(raw) for version, raw in keys.items()})
    return AuditCheck(at=now, report=report)


def _chains(folder: Path) -> Mapping[str, list[bytes]]:
    """Each chain's whole lines; what has no end yet is being written."""
    return {role: path.read_bytes().split(b"\n")[:-1] for role, path in chain_files(folder)}
