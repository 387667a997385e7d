"""A network of its own for each run with a purpose: no gateway, no resolver, and nothing in it but the proxy."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Final, cast

from sandbox.docker.container import PREFIX, Containers
from sandbox.docker.engine import NotDone
from sandbox.docker.service import Service, Watched
from sandbox.egress.mirror import start_mirror
from sandbox.egress.proxy import start_proxy
from sandbox.egress.purposes import PROXY_PORT, EgressSettings
from sandbox.egress.registries import MIRROR_PORT
from sandbox.egress.relay import Relay, pattern_for, start_chosen
from sandbox.egress.targets import TargetPattern
from sandbox.errors import CapacityExhausted, SandboxError, SandboxUnavailable, SpecRefused
from sandbox.order import Farewell
from sandbox.result import Connection, Download
from sandbox.spec import RunSpec, Work
from sandbox.wire import Surroundings

_FAREWELL_SECONDS: Final = 2
_STOPPED_SECONDS: Final = 20
_UNEXPLAINED: Final = 3
_KEPT: Final[Mapping[Work, str]] = {
    "command": "commands",
    "packages": "a program's packages",
    "stack": "Pulumi's engine",
    "migration": "migrations",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What stands between the runs of one purpose and the world."""

    proxy: Watched[Connection]
    mirror: Watched[Download] | None
    relay: Relay | None

    @property
    def alive(self) -> bool:
        """Whether all still answer."""
        return all(service.alive for service in self._all)

    async def close(self) -> None:
        """End all."""
        await asyncio.gather(*(service.close() for service in self._all))

    @property
    def _all(self) -> Sequence[Service]:
        return [one.service for one in (self.proxy, self.mirror, self.relay) if one is not None]


class Lease:
    """One run's network while it lasts.

    Attributes:
        network: Its name.
        address: Where the run is in it.
        places: The addresses of the services in it, by their containers' names.
        around: What the run is told.
        hosts: Names that it finds in this network, and their addresses there.
        connections: What the proxy saw; complete after `finish`.
        downloads: What the mirror gave; the same.
        connecting: The services' ways into it, while the run's container is being made.
        container: The run's, which must have stopped before the network can go.
        removal: Of that container.
    """

    def __init__(self, network: str, subnet: IPv4Network, services: Services, told: Mapping[str, str]) -> None:
        self.container: str | None = None
        self.removal: asyncio.Task[None] | None = None
        self.connecting: list[asyncio.Task[None]] = []
        # .1 is what the engine keeps for a gateway that does not exist.
        self.network, self.subnet, self.address = network, subnet, str(subnet[3])
        self._services, proxy, mirror = services, services.proxy, services.mirror
        self.places = {proxy.service.name: _proxy_address(subnet)}
        self._word = f"{secrets.token_hex(16)}.invalid"
        self._heard = [proxy.record.expect(subnet, self._word)]
        self.connections: tuple[Connection, ...] = ()
        self.downloads: tuple[Download, ...] = ()
        url = f"http://{_proxy_address(subnet)}:{PROXY_PORT}"
        names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")
        asked = f"CONNECT {self._word}:443 HTTP/1.1\r\n\r\n"
        farewells: list[Farewell] = [{"host": _proxy_address(subnet), "port": PROXY_PORT, "request": asked}]
        if mirror is not None:
            self.places[mirror.service.name] = _mirror_address(subnet)
            self._heard.append(mirror.record.expect(subnet, self._word))
            asked = f"GET /{self._word} HTTP/1.0\r\n\r\n"
            farewells.append({"host": _mirror_address(subnet), "port": MIRROR_PORT, "request": asked})
        self.hosts: Mapping[str, str] = {}
        if services.relay is not None:
            self.places[services.relay.service.name] = _relay_address(subnet)
            told = {**told, **services.relay.environment(_relay_address(subnet))}
            self.hosts = services.relay.hosts(_relay_address(subnet))
        environment = {**dict.fromkeys(names, url), **told}
        self.around = Surroundings(environment=environment, farewells=tuple(farewells))

    async def ready(self) -> None:
        """Until the services are in the network.

        Raises:
            SandboxUnavailable: The engine does not bring one there.
        """
        await asyncio.gather(*self.connecting)

    async def finish(self) -> None:
        """Wait until the services' logs have reached the end of this run, and take what is its own."""
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                for heard in self._heard:
                    await heard.wait()
        except TimeoutError:
            _log.warning("the proxy's record of a run may lack its end", extra={"network": self.network})
        self.connections = self._services.proxy.record.take(self.subnet, self._word)
        if self._services.mirror is not None:
            self.downloads = self._services.mirror.record.take(self.subnet, self._word)


def _proxy_address(subnet: IPv4Network) -> str:
    return str(subnet[2])


def _mirror_address(subnet: IPv4Network) -> str:
    return str(subnet[4])


def _relay_address(subnet: IPv4Network) -> str:
    return str(subnet[5])


class Egress:
    """All networks and proxies of one worker.

    Args:
        containers: Makes the proxies; its labels are the networks' too.
        settings: What the deployment opens.
    """

    def __init__(self, containers: Containers, settings: EgressSettings) -> None:
        self._containers, self._settings = containers, settings
        self._services: dict[str, Services] = {}
        self._lock = asyncio.Lock()
        self._outbound = settings.outbound
        self._taken: set[IPv4Network] = set()
        self._subnets = self._round()

    @contextlib.asynccontextmanager
    async def network(self, spec: RunSpec, purpose: str, seconds: float) -> AsyncGenerator[Lease]:
        """A network for one run, gone after the block.

        Args:
            spec: Of the run.
            purpose: What it is for.
            seconds: After which the reaper may take it from a dead worker.

        Raises:
            SpecRefused: The purpose does not exist here, is not for this work, or leads to no such target.
            CapacityExhausted: The pool of addresses is used up.
            SandboxUnavailable: The engine or the proxy does not do its part.
        """
        self._require(purpose, spec.work)
        run_id = spec.run_id
        pattern_for(self._settings, purpose, spec.target)
        services = await self._between(purpose)
        name = f"{PREFIX}net-{run_id}-{secrets.token_hex(4)}"
        self._containers.live.add(name)
        lease: Lease | None = None
        own: Relay | None = None
        try:
            outbound = await self._leading_out()
            own = await start_chosen(self._containers, self._settings, spec, outbound=outbound, seconds=seconds)
            if own is not None:
                services = replace(services, relay=own)
            subnet = await self._create(name, run_id, seconds)
            mirrored = self._settings.mirrors.get(purpose)
            told = mirrored.environment(_mirror_address(subnet)) if mirrored is not None else {}
            lease = Lease(name, subnet, services, told)
            engine = self._containers.engine
            connect = engine.api.connect_container_to_network
            lease.connecting = [
                asyncio.create_task(engine.call(connect, service, name, ipv4_address=address))
                for service, address in lease.places.items()
            ]
            yield lease
        finally:
            self._containers.later(self._remove(name, lease, own))

    @property
    def targets(self) -> Mapping[str, Sequence[TargetPattern]]:
        """Purposes whose steps choose where their runs are led, and among what."""
        return self._settings.targets

    @property
    def purposes(self) -> Mapping[str, Work]:
        """What the deployment opens, by name, with work that it is for."""
        return {name: self._settings.kept_for.get(name, "command") for name in self._settings.names}

    def _require(self, purpose: str, work: Work) -> None:
        may = self._settings.names_for(work)
        if purpose in may:
            return
        kept = self._settings.kept_for.get(purpose) if purpose in self._settings.names else None
        why = "does not exist here" if kept is None else f"is for {_KEPT[kept]} alone"
        raise SpecRefused(f"the purpose {purpose!r} {why}: the deployment has {', '.join(sorted(may)) or 'none'}")

    async def close(self) -> None:
        """End the proxies, and the network that we made for them."""
        await self._containers.settled()
        for services in self._services.values():
            await services.close()
        self._services.clear()
        if self._outbound is not None and self._settings.outbound is None:
            await self._remove(self._outbound, None, None)
            self._outbound = None

    async def _between(self, purpose: str) -> Services:
        async with self._lock:
            found = self._services.get(purpose)
            if found is not None and found.alive:
                return found
            if found is not None:
                await found.close()
                del self._services[purpose]
            self._services[purpose] = await self._start(purpose)
            return self._services[purpose]

    async def _start(self, purpose: str) -> Services:
        start = (self._containers, self._settings, purpose, await self._way_out())
        mirror, relay = await start_mirror(*start), None
        try:
            relay = await Relay.start(*start)
            return Services(await start_proxy(*start), mirror, relay)
        except BaseException:
            await asyncio.gather(*(other.service.close() for other in (mirror, relay) if other is not None))
            raise

    async def _leading_out(self) -> str:
        async with self._lock:
            return await self._way_out()

    async def _way_out(self) -> str:
        """The network that leads out; on it the proxies do not reach each other."""
        if self._outbound is None:
            name = f"{PREFIX}out-{self._containers.options.deployment}-{secrets.token_hex(4)}"
            self._containers.live.add(name)
            engine = self._containers.engine
            await engine.call(
                engine.api.create_network,
                name,
                driver="bridge",
                options={"com.docker.network.bridge.enable_icc": "false"},
                ipam={},
                internal=False,
                labels=self._containers.labels("network"),
            )
            self._outbound = name
        return self._outbound

    async def _create(self, name: str, run_id: str, seconds: float) -> IPv4Network:
        """Make the network on the first range that nobody has."""
        engine = self._containers.engine
        unexplained = 0
        for _ in range(len(list(self._settings.pool.subnets(new_prefix=29)))):
            subnet = next(self._subnets)
            if subnet in self._taken:
                continue
            self._taken.add(subnet)
            try:
                await engine.call(
                    engine.api.create_network,
                    name,
                    driver="bridge",
                    options={
                        "com.docker.network.bridge.inhibit_ipv4": "true",  # the host has no address in it
                        "com.docker.network.bridge.enable_ip_masquerade": "false",
                    },
                    ipam={"Driver": "default", "Config": [{"Subnet": str(subnet)}]},
                    internal=True,
                    labels=self._containers.labels("network", run=run_id, seconds=seconds),
                )
            except NotDone:
                self._taken.discard(subnet)
                # Who had it may have given it back since: another worker's run, that has ended.
                unexplained += not await self._somebody_has(subnet)
                if unexplained > _UNEXPLAINED:
                    raise
                continue
            except BaseException:
                self._taken.discard(subnet)
                raise
            return subnet
        raise CapacityExhausted(f"all networks of {self._settings.pool} are in use: wait, or give a larger pool")

    async def _somebody_has(self, subnet: IPv4Network) -> bool:
        engine = self._containers.engine
        found = cast("list[Mapping[str, object]]", await engine.call(engine.api.networks))
        return any(subnet.overlaps(one) for network in found for one in _ranges(network))

    def _round(self) -> Iterator[IPv4Network]:
        """Round and round, so that a range rests before it is used again."""
        while True:
            yield from self._settings.pool.subnets(new_prefix=29)

    async def _remove(self, name: str, lease: Lease | None, own: Relay | None) -> None:
        try:
            if lease is not None:
                leaving = (self._disconnect(name, service, lease) for service in lease.places)
                await asyncio.gather(*leaving, self._stopped(lease))
            if own is not None:
                await own.service.close()
            await self._remove_network(name, lease.removal if lease is not None else None)
        except SandboxError as error:
            _log.warning(
                "a network could not be removed, and is left to the reaper: %s", error, extra={"network": name}
            )
        finally:
            self._containers.live.discard(name)
            if lease is not None:
                self._taken.discard(lease.subnet)

    async def _stopped(self, lease: Lease) -> None:
        """Until the run's container has left the network: sooner than it is gone."""
        if lease.container is None:
            return
        engine = self._containers.engine
        with contextlib.suppress(SandboxError):
            await engine.call(engine.api.wait, lease.container, timeout=_STOPPED_SECONDS)

    async def _remove_network(self, name: str, removal: asyncio.Task[None] | None) -> None:
        engine = self._containers.engine
        if removal is not None:
            with contextlib.suppress(SandboxUnavailable):
                await engine.call(engine.api.remove_network, name)
                return
            await removal  # the engine still counts the container among the network's
        await engine.remove(engine.api.remove_network, name)

    async def _disconnect(self, name: str, service: str, lease: Lease) -> None:
        """Take a service out, once it is in: while the run's container goes, which lasts as long."""
        await asyncio.gather(*lease.connecting, return_exceptions=True)
        engine = self._containers.engine
        with contextlib.suppress(SandboxError):
            await engine.call(engine.api.disconnect_container_from_network, service, name, force=True)


def _ranges(network: Mapping[str, object]) -> Iterator[IPv4Network]:
    """The ranges that a network of the container engine has."""
    ipam = cast("Mapping[str, Sequence[Mapping[str, str]] | None]", network.get("IPAM") or {})
    for one in ipam.get("Config") or ():
        if "." in one.get("Subnet", ""):
            yield IPv4Network(one["Subnet"], strict=False)
