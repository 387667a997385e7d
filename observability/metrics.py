"""One `/metrics` per process: ours, the process's own, and those of Temporal's SDK core.

Core is native code with an exporter of its own. It listens on a loopback port of this process, and a collector reads it
there, so that people have one address to scrape.
"""

import http.client
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from observability.names import METRIC_PROCESS_INFO, METRIC_TEMPORAL_CORE_UP

LOOPBACK: Final = "127.0.0.1"
OTHER: Final = "other"
"""A label's value for every name that is not ours."""
_READ_SECONDS: Final = 2.0
_MAX_BYTES: Final = 8 * 1024 * 1024


class Registered:
    """The names that a process has registered with Temporal. Core makes a label of whatever name somebody asks for."""

    def __init__(self) -> None:
        self._names: Mapping[str, frozenset[str]] = {"workflow_type": frozenset(), "activity_type": frozenset()}

    def set(self, *, workflow_types: Iterable[str], activity_types: Iterable[str]) -> None:
        """Know these, and none that was known before."""
        self._names = {"workflow_type": frozenset(workflow_types), "activity_type": frozenset(activity_types)}

    def folded(self, family: Metric) -> Metric:
        """The same numbers, with all that belongs to other names in one series each: `other`."""
        samples: dict[tuple[str, ...], Sample] = {}
        for one in family.samples:
            labels = {label: self._known(label, value) for label, value in one.labels.items()}
            key = (one.name, *(part for item in sorted(labels.items()) for part in item))
            before = samples[key].value if key in samples else 0.0
            samples[key] = one._replace(labels=labels, value=before + one.value)
        family.samples = list(samples.values())
        return family

    def _known(self, label: str, value: str) -> str:
        names = self._names.get(label)
        return value if names is None or value in names else OTHER


class CoreCollector(Collector):
    """The metrics of Temporal's core, read from its private port at each scrape.

    Args:
        port: Of core.
        registered: The names that series are kept for.
    """

    def __init__(self, port: int, registered: Registered) -> None:
        self._port, self._registered = port, registered

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: registering must not read a port that no one listens on yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """What core has now; when it does not answer, only the metric that says so."""
        try:
            families = list(text_string_to_metric_families(self._read()))
        except (OSError, http.client.HTTPException, ValueError):
            families = []
        yield GaugeMetricFamily(
            METRIC_TEMPORAL_CORE_UP, "Whether the metrics of Temporal's core could be read.", value=bool(families)
        )
        yield from map(self._registered.folded, families)

    def _read(self) -> str:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=_READ_SECONDS)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse().read(_MAX_BYTES + 1)
            # Made-up names can make it longer; what has been read whole is better than nothing.
            whole = answer if len(answer) <= _MAX_BYTES else answer[: answer.rindex(b"\n") + 1]
            return whole.decode()
        finally:
            connection.close()


class _ProcessInfo(Collector):
    def __init__(self, service: str, release: str) -> None:
        self._labels = {"service": service, "version": release}

    def collect(self) -> Iterator[Metric]:
        name = METRIC_PROCESS_INFO.removesuffix("_info")
        yield InfoMetricFamily(name, "Which service this process is, and its release.", value=self._labels)


class MetricsServer:
    """Serves one registry over HTTP from threads of its own, whatever the event loop is busy with.

    Raises:
        ValueError: The address is not `host:port`.
        OSError: The address is taken or is not ours.
    """

    def __init__(self, address: str, *, service: str, release: str, registry: CollectorRegistry = REGISTRY) -> None:
        host, port = parse_address(address)
        self._registry = registry
        self._collectors: list[Collector] = []
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise OSError(
                error.errno, f"cannot serve metrics on {address!r} ({error.strerror}); set another metrics address"
            ) from error
        self.port: int = self._server.server_port
        self.add(_ProcessInfo(service, release))

    def add(self, collector: Collector) -> None:
        """Serve these metrics too, until the end."""
        self._registry.register(collector)
        self._collectors.append(collector)

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        while self._collectors:
            self._registry.unregister(self._collectors.pop())


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; an empty host is loopback, port 0 any free one."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004 - the last port
        raise ValueError(
            f"metrics address {address!r} is not host:port; write it like '127.0.0.1:9464', port 0 for any"
        )
    return host.strip("[]") or LOOPBACK, int(port)


def free_port() -> int:
    """A loopback port that is free now; whoever uses it must be ready to find it taken."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
