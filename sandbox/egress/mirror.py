"""One caching mirror of package registries for one purpose: nginx, in a container as shut as any run's, and its log."""

import logging
import re
import uuid
from functools import partial
from typing import Final

from sandbox.docker.container import PREFIX, Containers
from sandbox.docker.hardening import Place, container_config
from sandbox.docker.service import Program, Service, Watched
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.record import Record
from sandbox.egress.registries import RECORD_FILE, RECORD_PROGRAM, MirrorSettings, nginx_configuration
from sandbox.metrics import CONNECTIONS
from sandbox.result import Download
from sandbox.spec import MIB, Limits
from sandbox.wire import order_of_service

_ARGV: Final = (
    "/bin/sh",
    "-ec",
    (
        "cat /etc/ssl/certs/ca-certificates.crt authorities.pem > /tmp/trusted.pem\n"
        "exec /usr/sbin/nginx -e stderr -p /tmp -c /workspace/nginx.conf"
    ),
)
_LISTENING: Final = b"start worker process "
_ASKED: Final = re.compile(rb".* asked ([0-9a-f]{32}) (\S+) (\S+) \..*")
_GAVE: Final = re.compile(rb"gave (\S+) (\S+) (\d{3}) (\d+) (asked|nowhere|cache) (-|[0-9a-f]{64}) (\S+) (\S*) \.")
_MOST_DOWNLOADS: Final = 5000
_log = logging.getLogger(__name__)


def _limits(settings: MirrorSettings) -> Limits:
    """Its cache is memory as well."""
    tmp, rest = 16 * MIB, 256 * MIB
    return Limits(
        memory_bytes=settings.cache_bytes + tmp + rest,
        pids=32,
        cpus=2,
        workspace_bytes=settings.cache_bytes,
        tmp_bytes=tmp,
    )


async def start_mirror(
    containers: Containers, settings: EgressSettings, purpose: str, outbound: str
) -> Watched[Download] | None:
    """Start the mirror of a purpose on the network that leads out; None where nothing is mirrored.

    Its cache ends with it.

    Raises:
        SandboxError: It does not start.
    """
    mirrored = settings.mirrors.get(purpose)
    if mirrored is None:
        return None
    limits = _limits(mirrored)
    place = Place.of(settings.proxy_image, limits, network=outbound)
    resolvers = [str(address) for address in settings.resolvers]
    files = {
        "nginx.conf": nginx_configuration(mirrored).encode(),
        "authorities.pem": mirrored.authorities.encode(),
        RECORD_FILE: RECORD_PROGRAM.encode(),
    }
    program = Program(
        name=f"{PREFIX}mirror-{purpose}-{uuid.uuid4().hex[:8]}",
        config=container_config(place, limits, containers.labels("mirror"), resolvers=resolvers),
        order=order_of_service(_ARGV, files),
        listening=_LISTENING,
    )
    record = Record[Download](_MOST_DOWNLOADS)
    return Watched(await Service.start(containers, program, partial(_line, record)), record)


def _line(record: Record[Download], line: bytes) -> None:
    if match := _GAVE.fullmatch(line):
        _gave(record, *(group.decode(errors="replace") for group in match.groups()))
    elif match := _ASKED.fullmatch(line):
        number, client, target = (group.decode(errors="replace") for group in match.groups())
        record.note(client, number, _download(target))


def _gave(record: Record[Download], number: str, client: str, status: str, size: str, *rest: str) -> None:
    source, digest, method, target = rest
    if record.heard(target.removeprefix("/")):
        return
    allowed = source != "nowhere"
    CONNECTIONS.labels(allowed=str(allowed).lower()).inc()
    if not allowed:
        _log.warning("a sandbox was refused a download", extra={"target": target[:253], "method": method[:20]})
    facts = {"status": int(status), "bytes_received": int(size), "cached": source == "cache"}
    sha256 = digest if digest != "-" else None
    record.note(client, number, _download(target).model_copy(update={**facts, "sha256": sha256}))


def _download(target: str) -> Download:
    """One that has just begun."""
    host, _, path = target.removeprefix("/").partition("/")
    return Download(host=host[:253], path=f"/{path}", status=0, bytes_received=0, sha256=None, cached=False)
