"""`banksman trace`: the waterfall of a goal's trace, read from Tempo or from the embedded environment's store."""

import asyncio
import json
import re
import shlex
from http import HTTPStatus
from typing import Annotated, Any, Final

import httpx
import typer
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from pydantic import BaseModel, Field, ValidationError
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from connectors.authorities import authorities
from hitl.hidden import visible
from observability.names import ATTR_WORKFLOW_ID
from observability.traces.view import Row, TraceView, view
from workers.commands.connection import client_settings
from workers.commands.exits import Exit, fail, out, shown

_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_TIMEOUT: Final = 20.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_NEWEST: Final = 20
_ROWS: Final = 200
_BAR: Final = 28
_NARROWEST: Final = 24
_OF_COLOURS: Final = ("cyan", "blue", "green", "magenta", "yellow", "bright_cyan", "bright_blue", "bright_green")


class _Found(BaseModel):
    """One trace of Tempo's answer to a search."""

    id: str = Field(alias="traceID")
    start: int = Field(default=0, alias="startTimeUnixNano")


class _Answer(BaseModel):
    """Tempo's answer to a search; without `traces` where it found none."""

    traces: list[_Found] = []


class Tempo:
    """The two reads of Tempo's API that a waterfall needs.

    Args:
        url: Where it answers, without a path.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def find(self, workflow_id: str) -> list[str]:
        """The ids of the traces of one goal, newest first."""
        asked = {"tags": f"{ATTR_WORKFLOW_ID}={shlex.quote(workflow_id)}", "limit": str(_NEWEST)}
        try:
            found = _Answer.model_validate_json(await self._get("/api/search", asked)).traces
        except ValidationError:
            fail(f"{self._url} does not answer as Tempo does: is BANKSMAN_TEMPO_URL the right address?")
        return [one.id for one in sorted(found, key=lambda one: one.start, reverse=True)]

    async def trace(self, trace_id: str) -> TracesData:
        """All spans of one trace."""
        body = await self._get(f"/api/traces/{trace_id}", {}, none=f"there is no trace {trace_id!r}")
        try:
            answer: dict[str, Any] = json.loads(body)
            spans = {"resourceSpans": answer.get("batches", [])}
            return json_format.ParseDict(spans, TracesData(), ignore_unknown_fields=True)
        except (ValueError, AttributeError, json_format.ParseError):
            fail(f"{self._url} does not answer as Tempo does: is BANKSMAN_TEMPO_URL the right address?")

    async def _get(self, path: str, query: dict[str, str], *, none: str = "") -> bytes:
        try:
            async with (
                httpx.AsyncClient(verify=authorities(), timeout=_TIMEOUT) as client,
                client.stream("GET", f"{self._url}{path}", params=query, headers={"Accept": "application/json"}) as got,
            ):
                if none and got.status_code == HTTPStatus.NOT_FOUND:
                    fail(none)
                if not got.is_success:
                    fail(f"{self._url} answers {got.status_code} to a question about traces")
                body = bytearray()
                async for chunk in got.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        fail(f"the trace is larger than {_MOST_BYTES >> 20} MiB: look at it in Grafana")
                return bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"no trace store answers at {self._url}: {error or type(error).__name__}")


def trace(
    goal: Annotated[str, typer.Argument(metavar="GOAL", help="The goal's workflow id, or a trace id with --id.")],
    *,
    by_id: Annotated[bool, typer.Option("--id", help="GOAL is the id of a trace.")] = False,
    everything: Annotated[bool, typer.Option("--all", help=f"All spans, not the first {_ROWS} alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the spans as OTLP's JSON.")] = False,
) -> None:
    """Show what a goal did when: the waterfall of its trace."""
    if by_id and not _TRACE_ID.fullmatch(goal):
        fail(f"{goal!r} is no trace id, which is up to 32 hexadecimal digits", Exit.USAGE)
    settings = client_settings()
    if settings.tempo_url is None:
        fail(
            "where traces are kept is not known: `banksman up` starts a store here, or set BANKSMAN_TEMPO_URL",
            Exit.NO_STACK,
        )
    asyncio.run(_show(Tempo(settings.tempo_url), goal, by_id=by_id, everything=everything, as_json=as_json))


async def _show(tempo: Tempo, goal: str, *, by_id: bool, everything: bool, as_json: bool) -> None:
    found = [goal] if by_id else await tempo.find(goal)
    if not found:
        fail(f"there is no trace of {goal!r}: it may still be on its way, or have given way to newer ones")
    data = await tempo.trace(found[0])
    if not any(scoped.spans for batch in data.resource_spans for scoped in batch.scope_spans):
        fail(f"the trace {found[0]!r} has no spans")
    if as_json:
        out.print_json(json_format.MessageToJson(data))
        return
    _print(view(found[0], data), everything=everything)
    if others := found[1:]:
        out.print(f"[dim]{len(others)} older: banksman trace --id {escape(' '.join(others[:1]))}[/]", soft_wrap=True)


def _print(drawn: TraceView, *, everything: bool) -> None:
    failed = f", [red]{drawn.errors} failed[/]" if drawn.errors else ""
    started = f"{drawn.started:%Y-%m-%d %H:%M:%S} UTC"
    out.print(f"[bold]{_safe(drawn.title)}[/]  {drawn.duration}, {drawn.spans} spans{failed}", soft_wrap=True)
    out.print(f"[dim]{_safe(drawn.workflow_id or 'of no workflow')}, {started}[/]", soft_wrap=True)
    out.print(f"[dim]{drawn.trace_id}[/]\n", soft_wrap=True)
    rows = drawn.rows if everything else drawn.rows[:_ROWS]
    out.print(_waterfall(rows))
    legend = "  ".join(f"[{_colour(colour)}]█[/] {_safe(name)}" for name, colour, _ in drawn.services)
    out.print(f"\n{legend}")
    if drawn.spans > len(rows):
        rest = f"{drawn.spans - len(rows)} more spans"
        out.print(f"[dim]{rest}{'' if everything else '; --all shows them'}[/]")


def _waterfall(rows: list[Row]) -> Table:
    """A line for each span: its name by depth, its place on the time axis, how long it took."""
    width = max(_NARROWEST, out.width - _BAR - 14)
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=width)
    table.add_column(no_wrap=True, min_width=_BAR)
    table.add_column(no_wrap=True, justify="right", min_width=8)
    for row in rows:
        label = Text("  " * row.depth + visible(row.name), style="red" if row.error else "")
        if row.hint:
            label.append(f" {visible(row.hint)}", style="dim")
        table.add_row(label, _bar(row), row.duration)
        if row.message:
            table.add_row(Text("  " * (row.depth + 1) + visible(row.message), style="red"), "", "")
    return table


def _bar(row: Row) -> Text:
    """Its place on the axis; whatever is short is a thin mark of its own, so that nothing is lost from sight."""
    length = max(1, round(row.width * _BAR / 100))
    start = min(round(row.left * _BAR / 100), _BAR - length)
    mark = "█" * length if length > 1 else "▌"
    return Text(" " * start + mark, style="red" if row.error else _colour(row.colour))


def _colour(number: int) -> str:
    return _OF_COLOURS[number % len(_OF_COLOURS)]


def _safe(text: str) -> str:
    """Somebody else's text for a terminal: neither its control characters nor its markup is obeyed."""
    return escape(shown(visible(text)))
