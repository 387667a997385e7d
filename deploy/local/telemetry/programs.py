"""The four servers of `banksman up --observability`: from PATH, else built from source with Go.

Go's checksum database vouches for what is built. Grafana, Loki and Tempo are not among them: Compose has these. For
Loki stands VictoriaLogs, which takes the same lines by the same protocol and has a page to search them. Jaeger's own
page is in its release alone: one that is built has its API.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.local.telemetry.servers import Programs
from deploy.local.tools import (
    DEFAULT_CACHE,
    Progress,
    Tool,
    ToolUnavailableError,
    build_go,
    require_success,
    resolve,
)

_PROMETHEUS: Final = ("github.com/prometheus/prometheus/cmd/prometheus", "v0.316.0")
_LOG_STORE: Final = ("github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs", "v1.52.1")
_JAEGER: Final = ("github.com/jaegertracing/jaeger/cmd/jaeger", "v1.76.0")
"""Jaeger 2.13, by the number that its module still has."""
_BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder"
_CORE: Final = "go.opentelemetry.io/collector"
_CONTRIB: Final = "github.com/open-telemetry/opentelemetry-collector-contrib"
_COLLECTOR: Final = "v0.161.0"
_COMPONENTS: Final = {
    "receivers": (
        f"{_CORE}/receiver/otlpreceiver",
        f"{_CONTRIB}/receiver/fluentforwardreceiver",
    ),
    "processors": (
        f"{_CORE}/processor/batchprocessor",
        f"{_CORE}/processor/memorylimiterprocessor",
        f"{_CONTRIB}/processor/groupbyattrsprocessor",
        f"{_CONTRIB}/processor/resourceprocessor",
        f"{_CONTRIB}/processor/transformprocessor",
    ),
    "exporters": (f"{_CORE}/exporter/otlphttpexporter",),
    "extensions": (f"{_CONTRIB}/extension/healthcheckextension",),
}
"""What `observability/collector/collector.yml` names."""


async def find_programs(progress: Progress, *, cache: Path = DEFAULT_CACHE) -> Programs:
    """All four; the first time this takes minutes, where they have to be built.

    Args:
        progress: Told in one line what is being done.
        cache: Where they are kept, outside the repository.

    Raises:
        ToolUnavailableError: One of them is not here and cannot be had.
    """
    return Programs(
        prometheus=await _found(Tool.PROMETHEUS, *_PROMETHEUS, progress, cache),
        collector=await _found_collector(progress, cache),
        log_store=await _found(Tool.LOG_STORE, *_LOG_STORE, progress, cache),
        jaeger=await _found(Tool.JAEGER, *_JAEGER, progress, cache),
    )


async def _found(tool: Tool, package: str, version: str, progress: Progress, cache: Path) -> Path:
    if (path := await _on_path(tool)) is not None:
        return path
    program = cache / f"{tool.value}-{version}" / tool.value
    if not program.exists():
        go = await resolve(Tool.GO)
        progress(f"building {tool.value} with Go, which takes minutes the first time")
        program.parent.mkdir(parents=True, exist_ok=True)
        # Prometheus without the clients of every cloud there is: nothing here is discovered.
        await build_go(go, package, version=version, flags="-s -w", into=program, tags="remove_all_sd")
    return program


async def _found_collector(progress: Progress, cache: Path) -> Path:
    if (path := await _on_path(Tool.COLLECTOR)) is not None:
        return path
    program = cache / f"{Tool.COLLECTOR.value}-{_COLLECTOR}" / Tool.COLLECTOR.value
    if program.exists():
        return program
    go = await resolve(Tool.GO)
    progress("building the OpenTelemetry collector with Go, which takes minutes the first time")
    program.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="build-", dir=program.parent) as name:
        folder = Path(name)
        await build_go(go, _BUILDER, version=_COLLECTOR, flags="", into=folder / "builder")
        (folder / "builder.yaml").write_text(builder_configuration(folder / "out"), encoding="utf-8")
        # The builder looks for `go` on PATH, where ours need not be.
        path = f"{go.path.parent}:/usr/bin:/bin"
        words = ["env", f"PATH={path}", "CGO_ENABLED=0", str(folder / "builder"), "--config", "builder.yaml"]
        await require_success(words, cwd=folder)
        (folder / "out" / Tool.COLLECTOR.value).replace(program)
    return program


def builder_configuration(into: Path) -> str:
    """What the collector's builder reads: the components, each of one version."""
    lines = [
        "dist:",
        "  module: banksman.local/otelcol",
        f"  name: {Tool.COLLECTOR.value}",
        f"  version: {_COLLECTOR.removeprefix('v')}",
        f"  output_path: {into}",
    ]
    for kind, modules in _COMPONENTS.items():
        lines += [f"{kind}:", *(f"  - gomod: {module} {_COLLECTOR}" for module in modules)]
    return "\n".join(lines) + "\n"


async def _on_path(tool: Tool) -> Path | None:
    try:
        return (await resolve(tool)).path
    except ToolUnavailableError:
        return None
