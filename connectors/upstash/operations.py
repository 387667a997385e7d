"""What Upstash's developer API is asked, as its own description names it."""

from typing import Final

from pydantic import TypeAdapter

from connectors.http import NOTHING, Operation
from connectors.upstash.models import Database, NewDatabase, OpenDatabase

_ONE: Final = "/redis/database/{database}"

LIST_DATABASES: Final = Operation("GET", "/redis/databases", TypeAdapter(tuple[Database, ...]))
GET_DATABASE: Final = Operation("GET", _ONE, TypeAdapter(Database))
GET_OPEN_DATABASE: Final = Operation("GET", _ONE, TypeAdapter(OpenDatabase))
CREATE_DATABASE: Final = Operation("POST", "/redis/database", TypeAdapter(Database), body=NewDatabase)
DELETE_DATABASE: Final = Operation("DELETE", _ONE, NOTHING, harmless=True)
