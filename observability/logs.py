"""One line of JSON per event on standard output, whoever wrote it: us, Temporal, uvicorn, hvac.

structlog hands its events to the standard library's logging, and one formatter there writes them all; so a library's
line carries the same trace id, workflow id and redaction as ours.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Literal, cast

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from observability.names import (
    ATTR_ACTIVITY_ATTEMPT,
    ATTR_ACTIVITY_TYPE,
    ATTR_RUN_ID,
    ATTR_WORKFLOW_ID,
    LOG_SPAN_ID,
    LOG_STREAM,
    LOG_TRACE_ID,
)
from observability.redaction import redact

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_CHATTY: Final = ("urllib3", "httpx", "httpcore", "asyncio", "github.Requester")
"""Loggers whose info lines repeat what our spans say; their warnings are kept."""
MAX_LINE: Final = 16_000
"""Bytes of one line. Docker cuts at 16 KiB, and half a line of JSON has no trace id; Loki refuses from 256 KB on."""
_SHORTER: Final = (4_096, 1_024, 256, 64)
_ALWAYS: Final = frozenset(
    {"timestamp", "level", "logger", "service", LOG_TRACE_ID, LOG_SPAN_ID}
    | {ATTR_WORKFLOW_ID, ATTR_RUN_ID, ATTR_ACTIVITY_TYPE, ATTR_ACTIVITY_ATTEMPT}
)
_REPETITIVE: Final = "opentelemetry."
_REPEAT_SECONDS: Final = 60.0
_MAX_REMEMBERED: Final = 256


class Throttle(logging.Filter):
    """Lets each message of OpenTelemetry's own loggers through once a minute: a collector that is away is one fact."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what was said within the last minute."""
        if not record.name.startswith(_REPETITIVE):
            return True
        key, now = (record.name, record.msg), self._clock()
        if now - self._last.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        if len(self._last) >= _MAX_REMEMBERED:
            self._last.clear()
        self._last[key] = now
        return True


def configure_logs(service: str, *, level: LogLevel, log_format: LogFormat) -> None:
    """Send every log of this process to standard output; replaces what was configured before."""
    before = _processors(service)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(Throttle())
    handler.setFormatter(_formatter(before, log_format=log_format))
    _route_everything_to(handler, level=level)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _processors(service: str) -> list[Processor]:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = event.pop(LOG_STREAM, service)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        add_trace,
        add_temporal,
    ]


def _formatter(before: list[Processor], *, log_format: LogFormat) -> logging.Formatter:
    # A library may raise while it formats its own arguments; the formatter of structlog would pass that on.
    render: Processor = _one_line if log_format == "json" else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact_event,
            render,
        ],
    )


def _route_everything_to(handler: logging.Handler, *, level: LogLevel) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in list(logging.root.manager.loggerDict):
        # Libraries that brought handlers of their own (uvicorn does) would write past the redaction.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last processor before rendering: what leaves it holds no secret and only plain values."""
    return cast("EventDict", redact.value(event))


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The event as JSON, in at most `MAX_LINE` bytes: values are cut shorter, and then left out, until it fits.

    `cut` tells how many bytes it would have had. What links it to its trace and its goal stays whole.
    """
    line = _json(event)
    if len(line) * 4 <= MAX_LINE or (size := len(line.encode("utf-8", "surrogatepass"))) <= MAX_LINE:
        return line
    for most in _SHORTER:
        line = _json({**{key: _shorter(key, value, most) for key, value in event.items()}, "cut": size})
        if len(line.encode("utf-8", "surrogatepass")) <= MAX_LINE:
            return line
    return _json({**{key: event[key] for key in event if key in _ALWAYS}, "event": "a line too long", "cut": size})


def _json(event: Mapping[str, object]) -> str:
    return json.dumps(event, ensure_ascii=False, default=repr)


def _shorter(key: str, value: object, most: int) -> object:
    if key in _ALWAYS or value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else _json({"": value})[5:-1]
    return text if len(text) <= most else f"{text[:most]}…"


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the current span, in the form that Tempo and Loki link by."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event[LOG_TRACE_ID] = trace.format_trace_id(context.trace_id)
        event[LOG_SPAN_ID] = trace.format_span_id(context.span_id)
    return event


def add_temporal(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the workflow or activity that this line was written in."""
    # A process that never imported Temporal runs nothing of it, and need not load it to find out.
    if "temporalio.activity" in sys.modules:
        event.update(_temporal_ids())
    return event


def _temporal_ids() -> dict[str, str | int]:
    from temporalio import activity, workflow  # noqa: PLC0415 - loaded already, or this is not reached

    if activity.in_activity():
        task = activity.info()
        ids = {ATTR_ACTIVITY_TYPE: task.activity_type, ATTR_ACTIVITY_ATTEMPT: task.attempt}
        return {ATTR_WORKFLOW_ID: task.workflow_id or "", ATTR_RUN_ID: task.workflow_run_id or "", **ids}
    if workflow.in_workflow():
        run = workflow.info()
        return {ATTR_WORKFLOW_ID: run.workflow_id, ATTR_RUN_ID: run.run_id}
    return {}


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("banksman").critical("the process ends with an error", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
