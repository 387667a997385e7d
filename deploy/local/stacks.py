"""Tells the workers how Pulumi stacks are run on the embedded environment: the file that a deployment writes itself."""

from pathlib import Path
from typing import Final

import yaml

from deploy.local.state import StackFolder
from deploy.local.state_database import DATABASE

_MIRROR: Final = "package-registries"


def write_stacks(folder: StackFolder, *, host: str, port: int) -> Path:
    """Write what `BANKSMAN_STACKS` names; it holds no secret.

    Args:
        folder: The stack's.
        host: Where containers reach the state database.
        port: The same.
    """
    settings = {
        "state": {"kind": "postgres", "host": host, "port": port, "database": DATABASE, "tls": "disable"},
        "packages": ["banksman"],
        # The example makes databases on the server that keeps its state.
        "environment": {
            "PGHOST": "{state.host}",
            "PGPORT": "{state.port}",
            "PGUSER": "{state-role}",
            "PGDATABASE": "postgres",
            "PGSSLMODE": "disable",
        },
        "passwords": [{"relay": "state", "database": "*", "secret": "state-password"}],
        "libraries": _MIRROR,
    }
    return folder.private(folder.stacks.name, yaml.safe_dump(settings, sort_keys=False).encode())
