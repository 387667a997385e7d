"""What a Qdrant database is asked, as its own description names it: for names in spans and errors, and for the twin.

The official client sends these. To do one twice does no more than to do it once, but for a snapshot.
"""

from typing import Final

from pydantic import JsonValue, TypeAdapter

from connectors.http import Operation
from connectors.http.operation import Method

Envelope = dict[str, JsonValue]
"""`{"time": …, "status": "ok", "result": …}`."""

_ENVELOPE: Final[TypeAdapter[Envelope]] = TypeAdapter(Envelope)
_ONE: Final = "/collections/{collection}"


def _asked(method: Method, path: str, *, harmless: bool = True) -> Operation[Envelope]:
    return Operation(method, path, _ENVELOPE, harmless=harmless)


LIST_COLLECTIONS: Final = _asked("GET", "/collections")
GET_COLLECTION: Final = _asked("GET", _ONE)
CREATE_COLLECTION: Final = _asked("PUT", _ONE)
CREATE_INDEX: Final = _asked("PUT", f"{_ONE}/index")
LIST_ALIASES: Final = _asked("GET", "/aliases")
CHANGE_ALIASES: Final = _asked("POST", "/collections/aliases")
UPSERT: Final = _asked("PUT", f"{_ONE}/points")
SCROLL: Final = _asked("POST", f"{_ONE}/points/scroll")
COUNT: Final = _asked("POST", f"{_ONE}/points/count")
QUERY: Final = _asked("POST", f"{_ONE}/points/query")
LIST_SNAPSHOTS: Final = _asked("GET", f"{_ONE}/snapshots")
CREATE_SNAPSHOT: Final = _asked("POST", f"{_ONE}/snapshots", harmless=False)
