"""What the commands behind which a process lives have in common."""

from pydantic import ValidationError

from observability.setup import Telemetry, TelemetrySettings, configure
from workers.commands.exits import Exit, fail
from workers.settings import Settings


def load_settings() -> Settings:
    """The settings, or one line per wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'settings'}: {p['msg']}" for p in error.errors())
        fail(f"the settings are wrong: {problems}", Exit.USAGE)


def telemetry_for(service: str, settings: Settings, *, temporal: bool = True) -> Telemetry:
    """Telemetry as the settings say; without what belongs to Temporal where the process does not work with it."""
    return configure(
        service,
        temporal=temporal,
        settings=TelemetrySettings(
            otlp_endpoint=settings.otlp_endpoint,
            metrics_address=settings.metrics_address,
            log_level=settings.log_level,
            log_format=settings.log_format,
        ),
    )
