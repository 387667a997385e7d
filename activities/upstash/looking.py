"""Steps that read at Upstash."""

from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from activities.upstash.contracts import LOOK_AT_DATABASE, DatabaseSeen, LookAtDatabaseRequest
from connectors.http import Api
from connectors.upstash.client import DIALECT, account, find_database
from connectors.upstash.manifest import READ


class UpstashActivities:
    """The steps.

    Args:
        vault: Makes the token that reads the account.
        base_url: Where Upstash is.
    """

    def __init__(self, vault: StepTokens, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)

    @implements(LOOK_AT_DATABASE)
    async def look_at_database(self, request: LookAtDatabaseRequest) -> DatabaseSeen:
        """Look at one database.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with (
            secret_for_step(self._vault, READ) as fields,
            self._api.open(account(fields)) as session,
        ):
            found = await find_database(session, request.database)
        return DatabaseSeen(
            id=found.database_id,
            name=found.database_name,
            modifying=found.modifying_state,
            **found.model_dump(
                include={
                    "state",
                    "endpoint",
                    "port",
                    "tls",
                    "primary_region",
                    "read_regions",
                    "plan",
                    "budget",
                    "eviction",
                }
            ),
        )
