"""The databases of Redis Cloud's twin: its own, each with a Valkey server, and those copied of a real account."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from connectors.rediscloud.copy import CopiedDatabase
from connectors.rediscloud.twin.bodies import Security, Shown
from connectors.twins.valkey import HOST, Valkey

_GB_OF_A_COPY: Final = 0.1
"""No goal looks how much a database may hold, so no copy says it."""
_MADE_BY_A_GOAL: Final = re.compile(r"-[0-9a-f]{16}$")


@dataclass
class Database:
    """One of them."""

    subscription: int
    id: int
    name: str
    size: float
    eviction: str
    password: str
    status: str = "pending"
    server: Valkey | None = None
    copied: CopiedDatabase | None = None

    def shown(self, *, password: bool) -> Shown:
        """As it is listed, and looked at."""
        server = self.server
        if (one := self.copied) is not None and server is None:
            return self._as_copied(one, self.password if password else None)
        return Shown(
            database_id=self.id,
            name=self.name,
            status=self.status,
            dataset_size_in_gb=self.size,
            memory_used_in_mb=4.0,
            data_eviction_policy=self.eviction,
            public_endpoint=f"{HOST}:{server.port}" if server and self.status == "active" else None,
            security=Security(password=self.password if password else None),
        )

    def _as_copied(self, one: CopiedDatabase, password: str | None) -> Shown:
        """Nothing of its own is behind it, so that it is shown as it was."""
        return Shown(
            database_id=self.id,
            name=self.name,
            region=one.region,
            status=self.status,
            dataset_size_in_gb=self.size,
            memory_used_in_mb=one.used_mb or 0.0,
            data_eviction_policy=self.eviction,
            public_endpoint=one.endpoint,
            security=Security(enable_tls=one.tls, password=password),
        )


def of_copy(subscription: int, one: CopiedDatabase) -> Database:
    """With a password of its own. One that a goal made is opened by goals, and so has a server."""
    made = Database(
        subscription=subscription,
        id=one.id,
        name=one.name,
        size=_GB_OF_A_COPY,
        eviction=one.eviction,
        password=secrets.token_hex(16),
        status=one.status,
        copied=one,
    )
    if one.status == "active" and _MADE_BY_A_GOAL.search(one.name):
        serve(made)
    return made


def serve(database: Database) -> None:
    """From now on there is a server."""
    database.server = Valkey(SecretStr(database.password))
    database.status = "active"
