"""Keeps spans in one SQLite file, the oldest traces giving way to new ones.

The embedded environment's stand-in for Tempo, which comes in no wheel. A span is kept as the OTLP message it came in:
nothing of it is lost. A few columns and an index of its attributes beside it make it findable.
"""

import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from observability.names import ATTR_WORKFLOW_ID
from observability.traces.spans import SERVICE_NAME, failed, service_of, text_of

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_MAX_INDEXED: Final = 256
_MAX_INT64: Final = 2**63 - 1
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS trace (
  trace_id TEXT PRIMARY KEY, start INTEGER NOT NULL, end INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS span (
  trace_id TEXT NOT NULL REFERENCES trace ON DELETE CASCADE, span_id TEXT NOT NULL, parent_id TEXT NOT NULL,
  service TEXT NOT NULL, name TEXT NOT NULL, start INTEGER NOT NULL, error INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attribute (
  trace_id TEXT NOT NULL REFERENCES trace ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (trace_id, key, value)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS trace_by_start ON trace (start);
CREATE INDEX IF NOT EXISTS attribute_by_value ON attribute (key, value);
"""
_SUMMARY: Final = """
SELECT t.trace_id, t.start, t.end, count(*) AS spans, sum(s.error) AS errors,
  (SELECT r.name FROM span r WHERE r.trace_id = t.trace_id ORDER BY r.parent_id != '', r.start LIMIT 1) AS name,
  (SELECT r.service FROM span r WHERE r.trace_id = t.trace_id ORDER BY r.parent_id != '', r.start LIMIT 1) AS service,
  (SELECT a.value FROM attribute a WHERE a.trace_id = t.trace_id AND a.key = :workflow
   ORDER BY a.value LIKE 'approval%' OR a.value LIKE 'parked/%' OR a.value LIKE 'stack/%' LIMIT 1) AS workflow_id
FROM trace t JOIN span s USING (trace_id)
WHERE t.start < :before AND {match}
GROUP BY t.trace_id ORDER BY t.start DESC LIMIT :limit
"""
_GOAL: Final = """EXISTS (SELECT 1 FROM span g WHERE g.trace_id = t.trace_id AND (
  g.name LIKE 'run %' OR g.name LIKE 'RunWorkflow:%'
  AND g.name NOT IN (
    'RunWorkflow:Approval', 'RunWorkflow:ApprovalNotice', 'RunWorkflow:ParkedNotice', 'RunWorkflow:StackLock')))"""
_OF_KIND: Final = {"goal": _GOAL, "other": f"NOT {_GOAL}"}
_MATCH: Final = (
    "EXISTS (SELECT 1 FROM attribute a WHERE a.trace_id = t.trace_id AND a.key = :key{n} AND a.value = :value{n})"
)


Kind = Literal["goal", "other"]


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One line in a list of traces; times are nanoseconds since 1970."""

    trace_id: str
    start: int
    end: int
    spans: int
    errors: int
    name: str
    service: str
    workflow_id: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept. Whole traces go, the oldest first."""

    spans: int = 100_000
    bytes: int = 256 * 1024 * 1024


class TraceStore:
    """Spans on disk; may be used from any thread.

    Raises:
        sqlite3.DatabaseError: The file is not ours, or the disk is full.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._lock = Lock()
        # Autocommit; transactions are explicit.
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(_SCHEMA)
        self._spans = self._bytes = 0
        self._count(self._db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add(self, request: ExportTraceServiceRequest) -> int:
        """Keep these spans; the same span sent again replaces the first. Returns how many had no valid ids."""
        refused = 0
        with self._transaction() as db:
            for batch in request.resource_spans:
                for scoped in batch.scope_spans:
                    for span in scoped.spans:
                        if not _is_valid(span):
                            refused += 1
                            continue
                        self._bytes += _insert(db, span, batch=batch, scoped=scoped)
                        self._spans += 1
            self._make_room(db)
        return refused

    def trace(self, trace_id: str) -> TracesData | None:
        """The whole trace, one batch for each process and instrumentation; None when it is not here."""
        query = "SELECT body FROM span WHERE trace_id = ? ORDER BY start, span_id"
        with self._lock:
            bodies = [bytes(row["body"]) for row in self._db.execute(query, (trace_id,))]
        return _merge(bodies) if bodies else None

    def search(
        self,
        tags: Mapping[str, str] | None = None,
        *,
        limit: int = 50,
        before: int = _MAX_INT64,
        kind: Kind | None = None,
    ) -> list[TraceSummary]:
        """Traces that have a span with each of these attributes, newest first, started before `before`.

        Args:
            tags: Attributes that some span of it has.
            limit: How many at most.
            before: Nanoseconds since 1970.
            kind: `goal`: only those of a goal, from its start by whomever; `other`: only the rest.
        """
        values: dict[str, str | int] = {"workflow": ATTR_WORKFLOW_ID, "before": before, "limit": limit}
        matches = [_OF_KIND[kind] if kind else "TRUE"]
        for n, (key, value) in enumerate((tags or {}).items()):
            matches.append(_MATCH.format(n=n))
            values |= {f"key{n}": key, f"value{n}": value[:_MAX_INDEXED]}
        with self._lock:
            rows = self._db.execute(_SUMMARY.format(match=" AND ".join(matches)), values).fetchall()
        return [TraceSummary(**dict(row)) for row in rows]

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _make_room(self, db: sqlite3.Connection) -> None:
        # Counting reads the whole file; between counts it is enough to add up what came in.
        while self._spans > self._limits.spans or self._bytes > self._limits.bytes:
            self._count(db)
            if self._spans <= self._limits.spans and self._bytes <= self._limits.bytes:
                return
            oldest = "SELECT trace_id FROM trace ORDER BY start LIMIT max(1, (SELECT count(*) / 10 FROM trace))"
            db.execute(f"DELETE FROM trace WHERE trace_id IN ({oldest})")  # noqa: S608 - a constant
            self._count(db)

    def _count(self, db: sqlite3.Connection) -> None:
        row = db.execute("SELECT count(*) AS spans, coalesce(sum(length(body)), 0) AS bytes FROM span").fetchone()
        self._spans, self._bytes = int(row["spans"]), int(row["bytes"])


def _is_valid(span: Span) -> bool:
    ids = len(span.trace_id) == _TRACE_ID_BYTES and len(span.span_id) == _SPAN_ID_BYTES
    times = 0 < span.start_time_unix_nano <= span.end_time_unix_nano <= _MAX_INT64
    return ids and any(span.trace_id) and any(span.span_id) and times


def _insert(db: sqlite3.Connection, span: Span, *, batch: ResourceSpans, scoped: ScopeSpans) -> int:
    """Insert one span; returns the bytes it takes."""
    trace_id, service = span.trace_id.hex(), service_of(batch)
    db.execute(
        "INSERT INTO trace VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET start = min(start, excluded.start), end = max(end, excluded.end)",
        (trace_id, span.start_time_unix_nano, span.end_time_unix_nano),
    )
    alone = ResourceSpans(resource=batch.resource, scope_spans=[ScopeSpans(scope=scoped.scope, spans=[span])])
    body = alone.SerializeToString()
    error = failed(span)
    db.execute(
        "INSERT OR REPLACE INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            trace_id,
            span.span_id.hex(),
            span.parent_span_id.hex(),
            service,
            span.name,
            span.start_time_unix_nano,
            error,
            body,
        ),
    )
    found = [(trace_id, *pair) for pair in _searchable(span.attributes)]
    db.executemany("INSERT OR IGNORE INTO attribute VALUES (?, ?, ?)", [(trace_id, SERVICE_NAME, service), *found])
    return len(body)


def _searchable(attributes: Iterable[KeyValue]) -> list[tuple[str, str]]:
    return [(item.key[:_MAX_INDEXED], text_of(item.value)[:_MAX_INDEXED]) for item in attributes]


def _merge(bodies: list[bytes]) -> TracesData:
    """Gather single spans into batches again, as they were sent."""
    merged: dict[bytes, ResourceSpans] = {}
    for body in bodies:
        alone = ResourceSpans.FromString(body)
        spans = list(alone.scope_spans[0].spans)
        del alone.scope_spans[0].spans[:]
        batch = merged.setdefault(alone.SerializeToString(), alone)
        batch.scope_spans[0].spans.extend(spans)
    return TracesData(resource_spans=merged.values())
