"""Relays with fixed targets: what a run may reach that no proxy of HTTP leads to, as a database.

A purpose may have one relay for all of its runs, to addresses that the deployment fixed. Or each run has one of its
own, to the address that its step chose among those that the deployment allows.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.docker.container import PREFIX, Containers
from sandbox.docker.hardening import Place, container_config
from sandbox.docker.service import Program, Service
from sandbox.egress import forward
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.egress.targets import TargetPattern
from sandbox.errors import SpecRefused
from sandbox.spec import MIB, Limits, RunSpec, Target
from sandbox.wire import order_of_service

FIRST_PORT: Final = 7001
TOLD: Final = "BANKSMAN_TARGET"
"""The variable in which a run finds `HOST:PORT` of the address that its step chose."""
_LIMITS: Final = Limits(
    memory_bytes=128 * MIB, pids=16, cpus=1, workspace_bytes=MIB, tmp_bytes=MIB, workspace_inodes=64
)
_LISTENING: Final = b"listening"


@dataclass(frozen=True)
class Relay:
    """A relay that runs.

    Attributes:
        service: Its container.
        targets: Where its ports lead, in their order; none of them where a step chose.
        chosen: What the step chose; None where the deployment fixed all.
    """

    service: Service
    targets: Mapping[str, RelayTarget] = field(default_factory=dict[str, RelayTarget])
    chosen: Target | None = None

    @classmethod
    async def start(
        cls, containers: Containers, settings: EgressSettings, purpose: str, outbound: str
    ) -> "Relay | None":
        """Start the relay of a purpose on the network that leads out; None where there is none.

        Raises:
            SandboxError: It does not start.
        """
        targets = settings.relays.get(purpose)
        if not targets:
            return None
        pairs = [
            part
            for port, target in enumerate(targets.values(), FIRST_PORT)
            for part in (str(port), f"{target.host}:{target.port}")
        ]
        made = _Made(name=f"relay-{purpose}", labels=containers.labels("relay"), pairs=pairs)
        return cls(await _started(containers, settings, made, outbound), targets)

    def environment(self, address: str) -> Mapping[str, str]:
        """What a run is told: where to find each target at this address of the relay's."""
        if self.chosen is not None:
            host = self.chosen.host if self.chosen.named else address
            return {TOLD: f"{host}:{self.chosen.port}"}
        return {
            f"BANKSMAN_RELAY_{name.upper().replace('-', '_')}": f"{address}:{port}"
            for port, name in enumerate(self.targets, FIRST_PORT)
        }

    def hosts(self, address: str) -> Mapping[str, str]:
        """Names that lead a run to this address of the relay's: so it checks certificates by the real one."""
        return {self.chosen.host: address} if self.chosen is not None and self.chosen.named else {}


def pattern_for(settings: EgressSettings, purpose: str, target: Target | None) -> TargetPattern | None:
    """What allows a run's target; None where its purpose leaves none to the step.

    Raises:
        SpecRefused: The step chose one that is not allowed, or none where it must, or one where it may not.
    """
    patterns = settings.targets.get(purpose)
    if patterns is None:
        if target is not None:
            raise SpecRefused(f"the purpose {purpose!r} leads where the deployment says: its step chooses no target")
        return None
    if target is None:
        raise SpecRefused(f"the purpose {purpose!r} leads to one address, which its step has to choose")
    found = next((one for one in patterns if one.allows(target)), None)
    if found is None:
        allowed = ", ".join(f"{one.host}:{one.port or 'any port'}" for one in patterns)
        raise SpecRefused(f"{target.host}:{target.port} is none of what {purpose!r} may lead to: {allowed}")
    return found


async def start_chosen(
    containers: Containers, settings: EgressSettings, spec: RunSpec, *, outbound: str, seconds: float
) -> Relay | None:
    """Start the relay of one run; None where its purpose leaves nothing to its step.

    Args:
        containers: Makes it.
        settings: What the deployment opens.
        spec: Of the run.
        outbound: The network that leads out.
        seconds: After which the reaper may take it from a dead worker.

    Raises:
        SandboxError: It does not start.
    """
    target, pattern = spec.target, pattern_for(settings, spec.purpose or "", spec.target)
    if target is None or pattern is None:
        return None
    made = _Made(
        name=f"relay-{spec.run_id}",
        labels=containers.labels("relay", run=spec.run_id, seconds=seconds),
        pairs=(str(target.port), f"{pattern.by_way_of or target.host}:{target.port}"),
        closed=pattern.closed,
    )
    return Relay(await _started(containers, settings, made, outbound), chosen=target)


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A relay that is to be: its name and labels, where its ports lead, and where none of them does."""

    name: str
    labels: Mapping[str, str]
    pairs: Sequence[str]
    closed: Sequence[str] = ()


async def _started(containers: Containers, settings: EgressSettings, made: _Made, outbound: str) -> Service:
    place = Place.of(settings.proxy_image, _LIMITS, network=outbound)
    resolvers = [str(address) for address in settings.resolvers]
    files = {"forward.py": Path(forward.__file__).read_bytes()}
    if made.closed:
        files["closed"] = "\n".join(made.closed).encode()
    program = Program(
        name=f"{PREFIX}{made.name}-{uuid.uuid4().hex[:8]}",
        config=container_config(place, _LIMITS, made.labels, resolvers=resolvers),
        order=order_of_service(("python3", "-I", "forward.py", *made.pairs), files),
        listening=_LISTENING,
    )
    return await Service.start(containers, program, lambda _: None)
