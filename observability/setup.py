"""Logs, traces and metrics of one process, set up once at its start.

Only entry points import this. What is off is not loaded: without an OTLP endpoint no provider is installed and nothing
is instrumented; without a metrics address nothing listens.
"""

import logging
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from observability.logs import LogFormat, LogLevel, configure_logs
from observability.metrics import LOOPBACK, CoreCollector, MetricsServer, Registered, free_port, parse_address

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from temporalio.client import Plugin
    from temporalio.runtime import PrometheusConfig, Runtime

    from observability.tracing import Tracing

_ATTEMPTS: Final = 5
_SHUTDOWN_SECONDS: Final = 5.0


class TelemetrySettings(BaseModel):
    """What to tell, and whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    otlp_endpoint: str | None = Field(default=None, description="Base URL of an OTLP over HTTP receiver; None is off.")
    log_level: LogLevel = Field(default="info", description="The least severe level that is written.")
    log_format: LogFormat = Field(default="json", description="json for machines, console for people.")
    metrics_address: str | None = Field(default=None, description="host:port of /metrics; port 0 for any; None is off.")

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"OTLP endpoint {value!r} is not a URL; write it like 'http://127.0.0.1:4318'")
        return value or None

    @field_validator("metrics_address")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value:
            parse_address(value)
        return value or None


class Telemetry:
    """What `configure` set up; end it with `shutdown`."""

    current: "ClassVar[Telemetry | None]" = None
    """The process's own: OpenTelemetry's provider and the root logger are one per process, too."""

    def __init__(self, service: str, settings: TelemetrySettings, *, temporal: bool) -> None:
        # Nothing is loaded for what is off, hence the late imports of this class.
        self._tracing: Tracing | None = None
        self._metrics: MetricsServer | None = None
        self.registered = Registered()
        """What this process has registered with Temporal; set it before the worker runs."""
        if settings.metrics_address is not None:
            self._metrics = MetricsServer(settings.metrics_address, service=service, release=version("banksman"))
        if settings.otlp_endpoint is not None:
            from observability import tracing  # noqa: PLC0415 - not loaded when traces are off

            self._tracing = tracing.Tracing(service, settings.otlp_endpoint, temporal=temporal)

    @property
    def metrics_port(self) -> int | None:
        """The port that `/metrics` is served on; None when it is off."""
        return self._metrics.port if self._metrics else None

    @property
    def plugins(self) -> list["Plugin"]:
        """For the Temporal client, whose workers inherit them; empty when traces are off."""
        return self._tracing.plugins if self._tracing else []

    @cached_property
    def runtime(self) -> "Runtime":
        """Temporal's runtime, made at first use: its logs join ours, its metrics are on our `/metrics`.

        Raises:
            RuntimeError: No private port could be had for the metrics.
        """
        from temporalio import activity, workflow  # noqa: PLC0415 - a twin's process never loads Temporal
        from temporalio.runtime import PrometheusConfig  # noqa: PLC0415 - the same

        # The ids are fields of every line already; in the message they would be there twice.
        activity.logger.activity_info_on_message = False
        workflow.logger.workflow_info_on_message = False
        if self._metrics is None:
            return _runtime(None)
        for attempt in range(_ATTEMPTS):
            port = free_port()
            config = PrometheusConfig(
                bind_address=f"{LOOPBACK}:{port}",
                counters_total_suffix=True,
                unit_suffix=True,
                durations_as_seconds=True,
            )
            try:
                runtime = _runtime(config)
            except (RuntimeError, ValueError) as error:
                # Somebody may have taken the port since we looked.
                if attempt == _ATTEMPTS - 1:
                    raise RuntimeError("no free loopback port for the metrics of Temporal's core") from error
                continue
            self._metrics.add(CoreCollector(port, self.registered))
            return runtime
        raise AssertionError("unreachable: the last attempt returns or raises")

    def instrument_app(self, app: "Starlette") -> None:
        """See `instrument_app`."""
        if self._tracing:
            self._tracing.instrument_app(app)

    def shutdown(self, seconds: float = _SHUTDOWN_SECONDS) -> None:
        """Send the spans that are left, within this many seconds, and free the port. A second call does nothing."""
        if self._tracing:
            self._tracing.shutdown(seconds)
        if self._metrics:
            self._metrics.close()
        self._tracing = self._metrics = None


def configure(service: str, *, settings: TelemetrySettings, temporal: bool = True) -> Telemetry:
    """Set up logs, traces and metrics of this process.

    Args:
        service: The name in every line, span and metric, such as `banksman-connectors`.
        settings: What is on, and where it goes.
        temporal: Whether this process works with Temporal, which is not loaded otherwise.

    Raises:
        OSError: The metrics address is taken.
    """
    configure_logs(service, level=settings.log_level, log_format=settings.log_format)
    Telemetry.current = Telemetry(service, settings, temporal=temporal)
    return Telemetry.current


def instrument_app(app: "Starlette") -> None:
    """Have a web application continue its callers' traces; nothing when traces are off."""
    if Telemetry.current is not None:
        Telemetry.current.instrument_app(app)


def _runtime(metrics: "PrometheusConfig | None") -> "Runtime":
    from temporalio.runtime import (  # noqa: PLC0415 - see above
        LogForwardingConfig,
        LoggingConfig,
        Runtime,
        TelemetryConfig,
        TelemetryFilter,
    )

    logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core"), append_target_to_name=False),
    )
    return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics, attach_service_name=False))
