"""The shape of log lines, from a process of its own: logging is configured once per process."""

import json
import logging
import subprocess
import sys
from typing import cast

import pytest

from observability.logs import MAX_LINE, Throttle

_START = """
import logging, sys, structlog
from observability.setup import TelemetrySettings, configure
configure("svc", settings=TelemetrySettings({settings}))
log = structlog.get_logger("ours")
"""


def run(body: str, settings: str = "") -> list[dict[str, object]]:
    code = _START.format(settings=settings) + body
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr == ""
    return [cast("dict[str, object]", json.loads(line)) for line in done.stdout.splitlines()]


def test_a_line_says_when_who_what() -> None:
    [line] = run('log.info("hello", repository="acme/shop")')

    assert line["event"] == "hello"
    assert line["level"] == "info"
    assert line["service"] == "svc"
    assert line["logger"] == "ours"
    assert line["repository"] == "acme/shop"
    assert str(line["timestamp"]).endswith("Z")


def test_what_a_process_hands_on_of_something_else_is_a_stream_of_its_own() -> None:
    theirs, ours = run('log.info("output", line="hello", log_stream="sandbox-output"); log.info("mine", service="x")')
    assert (theirs["service"], "log_stream" in theirs) == ("sandbox-output", False)
    assert ours["service"] == "svc"


def test_the_standard_librarys_lines_look_the_same() -> None:
    lines = run(
        """
uvicorn = logging.getLogger("uvicorn.error")
logging.getLogger("hvac").warning("sealed at %s", "vault")
uvicorn.info("started")
logging.getLogger("urllib3").info("chatty")
log.debug("too fine")
import warnings; warnings.warn("old")
"""
    )

    assert [(line["logger"], line["event"]) for line in lines[:2]] == [
        ("hvac", "sealed at vault"),
        ("uvicorn.error", "started"),
    ]
    assert lines[2]["logger"] == "py.warnings"
    assert len(lines) == 3


def test_handlers_that_libraries_brought_are_taken_over() -> None:
    [line] = run(
        """
import uvicorn.config, logging.config
logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)
configure("svc", settings=TelemetrySettings())
logging.getLogger("uvicorn.access").info("ghs_" + "a" * 36)
"""
    )

    assert line["event"] == "[redacted github-token]"


def test_secrets_are_masked_in_fields_messages_and_tracebacks() -> None:
    lines = run(
        """
from observability.redaction import redact
from pydantic import SecretStr
redact.register(SecretStr("known-to-this-process"))
canary = "hvs." + "CANARY" * 6
log.info("got " + canary, password="canary-field", nested={"token": "canary-nested", "url": "https://u:canary-url@h/"})
logging.getLogger("hvac").warning("sent %s", canary)
log.info("the known-to-this-process value", items=["known-to-this-process"])
try:
    raise ValueError("no entry for " + canary)
except ValueError:
    log.exception("it failed", stack_info=True)
"""
    )

    text = json.dumps(lines)
    assert "canary" not in text.lower().replace("canary = ", "").replace("+ canary", "")
    assert "known-to-this-process" not in text
    assert "ValueError: no entry for [redacted vault-token]" in str(lines[3]["exception"])


def test_a_line_of_ten_megabytes_is_one_short_line_that_keeps_its_links() -> None:
    lines = run(
        """
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
span = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
big = "x" * 10_000_000
with trace.use_span(span):
    log.info("one text", words=big, short="kept")
    log.info(big)
    log.info("many", items=["\\u00e9" * 30_000 for _ in range(300)])
    log.info("keys", **{f"k{n}": "y" * 1_000 for n in range(250)})
    logging.getLogger("hvac").warning("%s", big)
    try:
        raise ValueError(big)
    except ValueError:
        log.exception("failed")
"""
    )
    assert len(lines) == 6
    for line in lines:
        assert len(json.dumps(line, ensure_ascii=False).encode()) <= MAX_LINE + 100
        assert (line["trace_id"], line["service"], line["level"]) == ("0" * 31 + "1", "svc", line["level"])
        assert cast("int", line["cut"]) > MAX_LINE
    assert lines[0]["event"] == "one text"
    assert lines[0]["short"] == "kept"
    assert str(lines[0]["words"]).startswith("xxxx")
    assert str(lines[5]["exception"]).startswith("Traceback")


def test_a_line_of_ordinary_length_is_left_whole() -> None:
    [line] = run('log.info("hello", words="\\u00e9" * 7_000)')
    assert len(str(line["words"])) == 7_000
    assert "cut" not in line


def test_an_uncaught_error_is_a_redacted_line_too() -> None:
    code = _START.format(settings="") + 'raise SystemError("token ghs_" + "a" * 36)'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 1
    assert done.stderr == ""
    line = json.loads(done.stdout)
    assert line["level"] == "critical"
    assert "aaaa" not in line["exception"].replace('"a" * 36', "")


def test_a_threads_uncaught_error_is_a_line_too() -> None:
    [line] = run(
        """
import threading
def fail(): raise ValueError("in a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()
"""
    )

    assert "in a thread" in str(line["exception"])


def test_lines_for_people() -> None:
    code = _START.format(settings='log_format="console", log_level="debug"') + 'log.debug("hello", password="canary")'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)

    assert "hello" in done.stdout
    assert "canary" not in done.stdout
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stdout)


def test_off_loads_and_installs_nothing() -> None:
    [line] = run(
        """
from opentelemetry import trace
import observability.setup as setup
telemetry = setup.Telemetry.current
loaded = [m for m in ("opentelemetry.sdk", "opentelemetry.instrumentation", "temporalio", "google.protobuf", "requests")
          if m in sys.modules]
log.info("off", loaded=loaded, provider=type(trace.get_tracer_provider()).__name__, plugins=telemetry.plugins,
         port=telemetry.metrics_port)
telemetry.shutdown(); telemetry.shutdown()
"""
    )

    assert line["loaded"] == []
    assert line["provider"] == "ProxyTracerProvider"
    assert line["plugins"] == []
    assert line["port"] is None


def test_a_collector_that_is_away_is_told_once_a_minute() -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])

    def passes(name: str) -> bool:
        return throttle.filter(logging.LogRecord(name, logging.WARNING, "", 0, "cannot export %s", ("x",), None))

    assert passes("opentelemetry.exporter")
    assert not passes("opentelemetry.exporter")
    assert passes("ours")
    assert passes("ours")
    now[0] = 61.0
    assert passes("opentelemetry.exporter")
