"""What the three servers read: the shipped files, with this machine's addresses in the place of Compose's.

What differs is here, and nothing else does: pipelines, rules and names are those that a production has.
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
        temporal: The metrics of the Temporal server.
        lines: The metrics of what sends log lines on.
    """

    otlp: int
    otlp_grpc: int
    health: int
    collector: int
    prometheus: int
    log_store: int
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
        },
        "extensions": {"health_check": {"endpoint": f"{HOST}:{places.health}"}},
        "service": {
            "pipelines": {"logs": {"receivers": ["otlp"]}},
            "telemetry": {
                "metrics": {
                    "readers": [{"pull": {"exporter": {"prometheus": {"host": HOST, "port": places.collector}}}}]
                }
            },
        },
    }
    return json.dumps(changed, indent=2)


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
        "telemetry": [_target([places.prometheus, places.collector])],
    }
    for job in shipped["scrape_configs"]:
        job["static_configs"] = targets[job["job_name"]]
    return json.dumps(shipped, indent=2)


def _target(ports: list[int], **labels: str) -> dict[str, Any]:
    return {"targets": [f"{HOST}:{port}" for port in ports], "labels": {**labels, "environment": ENVIRONMENT}}
