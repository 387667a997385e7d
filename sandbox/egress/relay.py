"""One relay with fixed targets for one purpose: what a run may reach that no proxy of HTTP leads to, as a database."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.docker.container import PREFIX, Containers
from sandbox.docker.hardening import Place, container_config
from sandbox.docker.service import Program, Service
from sandbox.egress import forward
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.spec import MIB, Limits
from sandbox.wire import order_of_service

FIRST_PORT: Final = 7001
_LIMITS: Final = Limits(
    memory_bytes=128 * MIB, pids=16, cpus=1, workspace_bytes=MIB, tmp_bytes=MIB, workspace_inodes=64
)
_LISTENING: Final = b"listening"


@dataclass(frozen=True)
class Relay:
    """A relay that runs.

    Attributes:
        service: Its container.
        targets: Where its ports lead, in their order.
    """

    service: Service
    targets: Mapping[str, RelayTarget]

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
        place = Place.of(settings.proxy_image, _LIMITS, network=outbound)
        resolvers = [str(address) for address in settings.resolvers]
        pairs = [
            part
            for port, target in enumerate(targets.values(), FIRST_PORT)
            for part in (str(port), f"{target.host}:{target.port}")
        ]
        files = {"forward.py": Path(forward.__file__).read_bytes()}
        program = Program(
            name=f"{PREFIX}relay-{purpose}-{uuid.uuid4().hex[:8]}",
            config=container_config(place, _LIMITS, containers.labels("relay"), resolvers=resolvers),
            order=order_of_service(("python3", "-I", "forward.py", *pairs), files),
            listening=_LISTENING,
        )
        return cls(await Service.start(containers, program, lambda _: None), targets)

    def environment(self, address: str) -> Mapping[str, str]:
        """What a run is told: where to find each target at this address of the relay's."""
        return {
            f"BANKSMAN_RELAY_{name.upper().replace('-', '_')}": f"{address}:{port}"
            for port, name in enumerate(self.targets, FIRST_PORT)
        }
