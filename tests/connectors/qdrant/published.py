"""Where Qdrant's published descriptions are: of its Cloud, and of the database, as one, for the twin speaks as both."""

import json
from typing import Any, Final

from tests.connectors.description import FOLDER, Published

ACCOUNT: Final = "6f0c9a1e-2c37-4a54-9d0b-7f3a2b6d1c55"
_DATABASE: Final = FOLDER / "qdrant-db.json"


def _as_one(document: dict[str, Any]) -> None:
    """Both descriptions, with the account that the twin has: another one it answers with 403 alone."""
    database = json.loads(_DATABASE.read_text(encoding="utf-8"))
    # It stands in queries alone, where a number is a text.
    database["components"]["schemas"]["ReadConsistency"]["anyOf"][0] = {"type": "string", "pattern": "^[1-9][0-9]*$"}
    document["paths"] |= database["paths"]
    document["components"] = database["components"]
    for item in document["paths"].values():
        for operation in item.values():
            for one in operation.get("parameters", []) if isinstance(operation, dict) else []:
                if one.get("in") == "path" and one["name"].rpartition(".")[2] == "accountId":
                    one["enum"] = [ACCOUNT]


QDRANT: Final = Published("qdrant-cloud.json", correct=_as_one)
