"""What the four servers read: the shipped files, with this machine's addresses in the place of Compose's.

What differs is here, and nothing else does: pipelines, rules and names are those that a production has. Jaeger alone
has a file of its own, and is one more place that the collector hands spans to.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.defaults import ENVIRONMENT
from deploy.local.processes.ports import HOST, Ports

SHIPPED: Final = Path(__file__).parents[3] / "observability"
_RULES: Final = ("alerts.yml", "objectives.yml")
_SCRAPE_EVERY: Final = "5s"
_KEPT: Final = "168h"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where everything listens, by port of the loopback interface.

    Attributes:
        otlp: The collector, for processes' spans.
        otlp_grpc: The same by gRPC, which none of ours speaks.
        health: The collector's health.
        collector: The collector's own metrics.
        prometheus: Prometheus.
        log_store: VictoriaLogs.
        jaeger: Jaeger's page and API.
        jaeger_grpc: The same by gRPC, which none of ours speaks.
        jaeger_otlp: Jaeger, for the collector's spans.
        temporal: The metrics of the Temporal server.
        lines: The metrics of what sends log lines on.
    """

    otlp: int
    otlp_grpc: int
    health: int
    collector: int
    prometheus: int
    log_store: int
    jaeger: int
    jaeger_grpc: int
    jaeger_otlp: int
    temporal: int
    lines: int

    @classmethod
    def choose(cls, ports: Ports) -> "Places":
        """The usual ports where they are free, others where not."""
        return cls(
            otlp=ports.take(4318),
            otlp_grpc=ports.take(0),
            health=ports.take(0),
            collector=ports.take(0),
            prometheus=ports.take(9090),
            log_store=ports.take(9428),
            jaeger=ports.take(16686),
            jaeger_grpc=ports.take(0),
            jaeger_otlp=ports.take(0),
            temporal=ports.take(0),
            lines=ports.take(0),
        )


def collector_override(places: Places, *, traces: int) -> str:
    """What the collector reads after the shipped file: JSON, which is YAML.

    Args:
        places: Where everything listens.
        traces: The trace store's port.
    """
    changed: dict[str, Any] = {
        "receivers": {
            "otlp": {
                "protocols": {
                    "http": {"endpoint": f"{HOST}:{places.otlp}"},
                    "grpc": {"endpoint": f"{HOST}:{places.otlp_grpc}"},
                }
            }
        },
        "exporters": {
            "otlphttp/tempo": {"endpoint": f"http://{HOST}:{traces}"},
            "otlphttp/loki": {"endpoint": f"http://{HOST}:{places.log_store}/insert/opentelemetry"},
            "otlphttp/jaeger": {"endpoint": f"http://{HOST}:{places.jaeger_otlp}"},
        },
        "extensions": {"health_check": {"endpoint": f"{HOST}:{places.health}"}},
        "service": {
            "pipelines": {
                "traces": {"exporters": ["otlphttp/tempo", "otlphttp/jaeger"]},
                "logs": {"receivers": ["otlp"]},
            },
            "telemetry": {
                "metrics": {
                    "readers": [{"pull": {"exporter": {"prometheus": {"host": HOST, "port": places.collector}}}}]
                }
            },
        },
    }
    return json.dumps(changed, indent=2)


def jaeger_configuration(places: Places, kept: Path) -> str:
    """One process with everything: spans come in, are kept on disk for a week, and are asked for.

    Args:
        places: Where everything listens.
        kept: The folder of its database.
    """
    folders = {"keys": str(kept / "keys"), "values": str(kept / "values")}
    backend = {"badger": {"ephemeral": False, "directories": folders, "ttl": {"spans": _KEPT}}}
    listening = {"http": {"endpoint": f"{HOST}:{places.jaeger}"}, "grpc": {"endpoint": f"{HOST}:{places.jaeger_grpc}"}}
    configured: dict[str, Any] = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{HOST}:{places.jaeger_otlp}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "kept"}},
        "extensions": {
            "jaeger_storage": {"backends": {"kept": backend}},
            "jaeger_query": {"storage": {"traces": "kept"}, "enable_tracing": False, **listening},
        },
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"logs": {"level": "warn", "encoding": "json"}, "metrics": {"level": "none"}},
        },
    }
    return json.dumps(configured, indent=2)


def prometheus_configuration(places: Places, workers: Mapping[str, int]) -> str:
    """The shipped scrape jobs and rules; alerts are shown on its page and sent to nobody.

    Args:
        places: Where everything listens.
        workers: The metrics' port of each worker, by role.
    """
    shipped: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    del shipped["alerting"]
    shipped["global"]["scrape_interval"] = shipped["global"]["evaluation_interval"] = _SCRAPE_EVERY
    shipped["global"]["scrape_timeout"] = _SCRAPE_EVERY
    shipped["rule_files"] = [str(SHIPPED / "prometheus" / name) for name in _RULES]
    targets = {
        "banksman": [_target([port], role=role) for role, port in workers.items()],
        "temporal": [_target([places.temporal])],
        "telemetry": [_target([places.prometheus, places.collector, places.lines])],
    }
    for job in shipped["scrape_configs"]:
        job["static_configs"] = targets[job["job_name"]]
        job.pop("dns_sd_configs", None)
    return json.dumps(shipped, indent=2)


def _target(ports: list[int], **labels: str) -> dict[str, Any]:
    return {"targets": [f"{HOST}:{port}" for port in ports], "labels": {**labels, "environment": ENVIRONMENT}}
