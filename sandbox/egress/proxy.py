"""One allow-list proxy for one purpose: squid, in a container as shut as any run's, and its log, read as it comes."""

import logging
import re
import uuid
from functools import partial
from typing import Final

from sandbox.docker.container import PREFIX, Containers
from sandbox.docker.hardening import Place, container_config
from sandbox.docker.service import Program, Service, Watched
from sandbox.egress.purposes import EgressSettings, squid_configuration
from sandbox.egress.record import Record
from sandbox.metrics import CONNECTIONS
from sandbox.result import Connection
from sandbox.spec import MIB, Limits
from sandbox.wire import order_of_service

_LIMITS: Final = Limits(
    memory_bytes=384 * MIB, pids=32, cpus=2, workspace_bytes=8 * MIB, tmp_bytes=8 * MIB, workspace_inodes=64
)
_ARGV: Final = ("/usr/sbin/squid", "-N", "-f", "/workspace/squid.conf")
_SEEN: Final = re.compile(rb"seen (\S+) (\S+) (\S+) (\d+) (\d+) (\S+)")
_LISTENING: Final = b"Accepting HTTP Socket connections"
_MOST_CONNECTIONS: Final = 1000
_OK: Final = "200"
_log = logging.getLogger(__name__)


async def start_proxy(
    containers: Containers, settings: EgressSettings, purpose: str, outbound: str
) -> Watched[Connection]:
    """Start the proxy of a purpose on the network that leads out.

    Raises:
        SandboxError: It does not start.
    """
    place = Place.of(settings.proxy_image, _LIMITS, network=outbound)
    resolvers = [str(address) for address in settings.resolvers]
    configuration = squid_configuration(settings.purposes.get(purpose, ()))
    program = Program(
        name=f"{PREFIX}proxy-{purpose}-{uuid.uuid4().hex[:8]}",
        config=container_config(place, _LIMITS, containers.labels("proxy"), resolvers=resolvers),
        order=order_of_service(_ARGV, {"squid.conf": configuration.encode()}),
        listening=_LISTENING,
    )
    record = Record[Connection](_MOST_CONNECTIONS)
    return Watched(await Service.start(containers, program, partial(_line, record)), record)


def _line(record: Record[Connection], line: bytes) -> None:
    if match := _SEEN.fullmatch(line):
        _note(record, *(group.decode(errors="replace") for group in match.groups()))


def _note(record: Record[Connection], client: str, *line: str) -> None:
    method, target, status, size, _ = line
    host, port = _host_and_port(target)
    if record.heard(host):
        return
    allowed = status == _OK
    CONNECTIONS.labels(allowed=str(allowed).lower()).inc()
    if not allowed:
        _log.warning("a sandbox was refused a connection", extra={"host": host[:253], "port": port})
    received = int(size) if allowed else 0  # of a refusal, the proxy's own page is no traffic
    seen = Connection(host=host[:253], port=port, allowed=allowed, bytes_received=received, method=method[:20])
    record.note(client, uuid.uuid4().hex, seen)


def _host_and_port(target: str) -> tuple[str, int]:
    """From `host:443`, or from the URL of a plain request; a port that makes no sense is 0."""
    without_scheme = target.split("://", 1)[-1].split("/", 1)[0]
    host, _, port = without_scheme.rpartition(":")
    if not host:
        return without_scheme, 80 if "://" in target else 0
    return host, int(port) if port.isdigit() and len(port) <= 5 else 0  # noqa: PLR2004 - ports have five digits
