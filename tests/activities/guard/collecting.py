"""Audit files that workers write, a collector with a real key, and an export of what it collected."""

import base64
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activities.guard.audit import AuditEvent, AuditLog, AuditRecord
from activities.guard.audit_checkpoint import SignedCheckpoint
from activities.guard.audit_collect import AuditCollector, SigningKey
from activities.guard.audit_export import Export, ExportReport, export_lines, read_export, verify_export
from connectors.errors import Unavailable
from hitl.approval.signing import PublicKeys
from hitl.protocol import Effect

NOW = "2026-11-29T12:00:00+00:00"


def event(what: str = "allowed", step: str = "1", **fields: object) -> AuditEvent:
    """One event of one step that destroys."""
    told: dict[str, object] = {
        "event": what,
        "environment": "live",
        "role": "destructive",
        "action": "github.delete_branch",
        "effect": Effect.DESTRUCTIVE,
        "phase": "production",
        "workflow_id": f"delete/{step}",
        "workflow_type": "DeleteBranch",
        "run_id": "run",
        "activity_id": "github.delete_branch/1",
        "attempt": 1,
    }
    return AuditEvent.model_validate(told | fields)


class Vault:
    """Its transit key `audit`; sealed where a test says so."""

    def __init__(self) -> None:
        self.keys = {1: Ed25519PrivateKey.generate()}
        self.sealed = False

    async def sign(self, text: str) -> str:
        if self.sealed:
            raise Unavailable("Vault is sealed")
        newest = max(self.keys)
        return f"vault:v{newest}:{base64.b64encode(self.keys[newest].sign(text.encode())).decode()}"

    async def published(self) -> Mapping[int, bytes]:
        return {version: key.public_bytes(Encoding.Raw, PublicFormat.Raw) for version, key in self.public.items()}

    @property
    def public(self) -> PublicKeys:
        return {version: key.public_key() for version, key in self.keys.items()}


class Books:
    """Files of two processes, and what is collected of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.into = folder / "audit", folder / "audit" / "collected"
        self.vault = Vault()
        self.logs = {role: AuditLog(self.file(role)) for role in ("destructive", "connectors")}
        self.collector = self.another()

    def file(self, role: str) -> Path:
        return self.folder / f"{role}.jsonl"

    def copy(self, role: str) -> Path:
        return self.into / "chains" / f"{role}.jsonl"

    def another(self) -> AuditCollector:
        """As the next process has it."""
        key = SigningKey(sign=self.vault.sign, published=self.vault.published)
        return AuditCollector([self.folder], self.into, key=key, environment="live")

    def restart(self) -> None:
        self.collector.close()
        self.collector = self.another()

    def write(self, role: str, *steps: str) -> list[AuditRecord]:
        """Each step whole: allowed, and finished."""
        return [
            self.logs[role].append(event(what, step, role=role)) for step in steps for what in ("allowed", "finished")
        ]

    async def look(self) -> SignedCheckpoint | None:
        self.collector.collect()
        return await self.collector.checkpoint()

    def export(self) -> Path:
        path = self.folder / "export"
        path.write_text("".join(f"{line}\n" for line in export_lines(self.into, at=NOW)), encoding="utf-8")
        return path

    def exported(self) -> Export:
        return read_export(self.export())

    def verified(self, export: Export | None = None, *, newest: SignedCheckpoint | None = None) -> ExportReport:
        return verify_export(export or self.exported(), self.vault.public, newest=newest)

    def close(self) -> None:
        self.collector.close()
        for log in self.logs.values():
            log.close()
