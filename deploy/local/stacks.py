"""Tells the workers how Pulumi stacks are run on the embedded environment: the file that a deployment writes itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from deploy.local.options import USUAL_PROVIDERS, ProvidersWanted
from deploy.local.state import StackFolder
from deploy.local.state_database import DATABASE

_MIRROR: Final = "package-registries"


@dataclass(frozen=True)
class PlatformPlace:
    """Where the platform is that services are deployed to.

    Attributes:
        port: On the same address as the state database.
        url: For people's browsers.
    """

    port: int
    url: str


def write_stacks(
    folder: StackFolder, *, host: str, port: int, platform: PlatformPlace, providers: ProvidersWanted = USUAL_PROVIDERS
) -> Path:
    """Write what `BANKSMAN_STACKS` names; it holds no secret.

    Args:
        folder: The stack's.
        host: Where containers reach the state database.
        port: The same.
        platform: Where they reach the platform.
        providers: Of Pulumi.
    """
    settings = {
        "state": {"kind": "postgres", "host": host, "port": port, "database": DATABASE, "tls": "disable"},
        "packages": [*providers.packages],
        # The example makes databases on the server that keeps its state.
        "environment": {
            "PGHOST": "{state.host}",
            "PGPORT": "{state.port}",
            "PGUSER": "{state-role}",
            "PGDATABASE": "postgres",
            "PGSSLMODE": "disable",
            # The other example deploys a service; by which token, Vault's secret says.
            "PLATFORM_HOST": "{platform.host}",
            "PLATFORM_PORT": "{platform.port}",
            "PLATFORM_URL": platform.url,
            **providers.environment,
        },
        "relays": {"platform": {"host": host, "port": platform.port}},
        "passwords": [{"relay": "state", "database": "*", "secret": "state-password"}],
        "libraries": _MIRROR,
    }
    return folder.private(folder.stacks.name, yaml.safe_dump(settings, sort_keys=False).encode())
