"""Steps that read what a schema is, and by what two differ; as the database's owner, who changes nothing here."""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from activities.neon.logins.contracts import OpenDatabase
from activities.neon.logins.means import Owner
from activities.neon.migrations.contracts import (
    COMPARE_SCHEMA,
    LOOK_AT_SCHEMA,
    CompareSchema,
    DatabasePlace,
    SchemaCompared,
    SchemaSeen,
)
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.http import Api
from connectors.neon.client import DIALECT, NeonProject, credential
from connectors.neon.manifest import READ
from connectors.neon.purposes import Purpose
from connectors.postgres.schema import look_at_schema
from connectors.postgres.session import connected
from hitl.hidden import visible

_MOST: Final = 300
_LONGEST: Final = 300
_NOT_MEANT: Final = re.compile(
    r"(ALTER .* OWNER TO |GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |SET |SELECT pg_catalog\.set_config|--|\\)"
)
"""What differs between a branch that was opened for migrations and its parent, and is no part of a schema."""


class NeonSchemas:
    """The steps.

    Args:
        vault: Makes the token that reads the key.
        base_url: Where Neon is.
    """

    def __init__(self, vault: StepTokens, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)

    @implements(LOOK_AT_SCHEMA)
    async def look_at_schema(self, request: DatabasePlace) -> SchemaSeen:
        """Look at a database, without owners and rights.

        Raises:
            ConnectorError: As the tree says; `NotFound` where there is no such branch or database.
        """
        place = OpenDatabase(**request.model_dump(), purpose=Purpose.READ)
        async with secret_for_step(self._vault, READ) as fields:
            server = await Owner(self._api, fields).of(place)
        async with connected(server) as database:
            seen = await look_at_schema(database)
        return SchemaSeen(digest=seen.digest, tables=tuple(sorted(seen.versions)))

    @implements(COMPARE_SCHEMA)
    async def compare_schema(self, request: CompareSchema) -> SchemaCompared:
        """Have Neon compare two branches, and leave out what is no schema.

        Raises:
            ConnectorError: As the tree says.
        """
        async with secret_for_step(self._vault, READ) as fields, self._api.open(credential(fields)) as session:
            project = NeonProject(session, request.project)
            branch, base = await project.by_id(request.branch), await project.by_id(request.base)
            told = await project.compare_schema(branch, base=base, database=request.database)
        lines = list(_changed(told))
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        shown = tuple(visible(one)[:_LONGEST] for one in lines[:_MOST])
        return SchemaCompared(lines=shown, left_out=len(lines) - len(shown), digest=f"sha256:{digest}")


def _changed(difference: str) -> Iterator[str]:
    for line in difference.splitlines():
        if line[:1] not in {"+", "-"} or line.startswith(("+++", "---")):
            continue
        if line[1:].strip() and not _NOT_MEANT.match(line[1:]):
            yield line.rstrip()
