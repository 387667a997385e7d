"""Audit files of an environment's days, and the report on them as a person asks for it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from activities.guard import audit
from activities.guard.audit import AuditEvent, AuditLog
from activities.guard.opinion_facts import OpinionFacts, words_digest
from hitl.policy.rules import RollOut
from hitl.protocol import Phase
from workers.cli import app
from workers.rollout.ends import Ends
from workers.rollout.evidence import Evidence
from workers.rollout.report import Report

NOW: Final = datetime(2026, 12, 1, tzinfo=UTC)
PEOPLE: Final = """\
people: {alice: [slack:U0ALICE], bob: [slack:U0BOB]}
groups: {release: [alice, bob]}
"""


def policy(phase: str = "non_critical_writes", more: str = "") -> str:
    """Of one environment."""
    return f"{PEOPLE}environments:\n  live:\n    phase: {phase}\n{more}"


class Clock:
    """The audit log's, in a test's hand."""

    at: datetime = datetime(2026, 11, 1, tzinfo=UTC)

    @classmethod
    def now(cls, zone: object) -> datetime:
        del zone
        return cls.at


class Days:
    """Writes what happened on which day.

    Args:
        folder: Of the audit files.
        clock: Whose time the log takes.
    """

    def __init__(self, folder: Path, clock: type[Clock]) -> None:
        self.folder, self.clock = folder / "audit", clock
        self.logs = {role: AuditLog(self.folder / f"{role}.jsonl") for role in ("connectors", "destructive", "gateway")}
        self.policy = folder / "policy.yaml"
        self.policy.write_text(policy())
        self.count = 0

    def on(self, moment: str) -> None:
        """From now on it is then, in UTC."""
        self.clock.at = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    def event(self, what: str, action: str, *, role: str = "connectors", **fields: object) -> None:
        told: dict[str, object] = {
            "event": what,
            "environment": "live",
            "role": role,
            "action": action,
            "effect": "read",
            "phase": "non_critical_writes",
            "workflow_id": "read-file/acme/shop",
            "workflow_type": "ReadFile",
            "run_id": "run",
            "activity_id": str(self.count),
            "attempt": 1,
        }
        self.logs[role].append(AuditEvent.model_validate(told | fields))

    def step(self, action: str, end: str = "finished", **fields: Any) -> None:
        """A step whole."""
        self.count += 1
        ends = {name: fields.pop(name) for name in ("way", "error", "opinion") if name in fields}
        self.event("allowed", action, **fields)
        self.event(end, action, **fields, **ends)

    def denied(self, action: str, reason: str, **fields: Any) -> None:
        self.count += 1
        self.event("denied", action, reason=reason, **fields)

    def opinion(self, verdict: str, *, person: str = "alice", run: str = "run", words: str = "", **of: str) -> None:
        """As the gateway keeps one that it has verified."""
        facts = OpinionFacts.model_validate(
            {
                "goal": of.get("goal", "read-file/acme/shop"),
                "goal_run": run,
                "person": person,
                "verdict": verdict,
                "words": words_digest(words),
                "surface": "slack",
                "said_at": of.get("said_at") or self.clock.at.isoformat(timespec="microseconds"),
            }
        )
        kept = f"opinion/{run}/{person}"
        self.step("hitl.keep_opinion", role="gateway", workflow_id=kept, opinion=facts)

    def asked(self, *args: str) -> Result:
        """The report."""
        command = ["rollout", "report", "--environment", "live", "--policy", str(self.policy)]
        return CliRunner().invoke(app, [*command, "--from", str(self.folder), *args], env={"COLUMNS": "1000"})

    def told(self, *args: str) -> str:
        """The report on a book alone, whose chains are whole."""
        done = self.asked("--book-only", *args)
        assert done.exit_code == 0, done.output
        return done.output

    def numbers(self, *args: str) -> Mapping[str, Any]:
        return json.loads(self.told("--json", *args))

    def close(self) -> None:
        for log in self.logs.values():
            log.close()


def days_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Days:
    """Days that begin with none."""
    clock = type("Now", (Clock,), {})
    monkeypatch.setattr(audit, "datetime", clock)
    return Days(folder, clock)


def report(*, ended: int = 20, wrong: int = 0, doubtful: int = 0, days: int = 15, **changes: object) -> Report:
    """One that is ready, but for what a test changes."""
    evidence = Evidence(environment="live", events=9, first=(NOW - timedelta(days=days)).isoformat())
    evidence.ways["unknown"] = doubtful
    ends = Ends(wrong=wrong, parked_now=0)
    ends.goals["completed"] = ended
    given: dict[str, object] = {
        "environment": "live",
        "made_at": NOW,
        "phase": Phase.NON_CRITICAL_WRITES,
        "wanted": RollOut(opinions=0),
        "evidence": evidence,
        "ends": ends,
    }
    return Report(**{**given, **changes})  # pyright: ignore[reportArgumentType] - each test names what it changes
