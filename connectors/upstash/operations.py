"""What Upstash's developer API is asked, as its own description names it."""

from typing import Final

from pydantic import TypeAdapter

from connectors.http import Operation
from connectors.upstash.models import Database

LIST_DATABASES: Final = Operation("GET", "/redis/databases", TypeAdapter(tuple[Database, ...]))
GET_DATABASE: Final = Operation("GET", "/redis/database/{database}", TypeAdapter(Database))
