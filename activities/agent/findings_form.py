"""The form of an investigator's answer, apart from what it is told: workflow code names it, and never the other."""

from typing import Final

from pydantic import JsonValue

from connectors.models.messages import OutputSchema

_TEXT: Final[JsonValue] = {"type": "string"}
_EVIDENCE: Final[JsonValue] = {
    "type": "object",
    "properties": {"result": _TEXT, "quote": _TEXT},
    "required": ["result", "quote"],
}
_CLAIM: Final[JsonValue] = {
    "type": "object",
    "properties": {"says": _TEXT, "evidence": {"type": "array", "items": _EVIDENCE}},
    "required": ["says", "evidence"],
}
FINDINGS: Final = OutputSchema(
    name="findings",
    description="What was found, each claim with its evidence; or why nothing can be said.",
    json_schema={
        "type": "object",
        "properties": {
            "claims": {"type": "array", "items": _CLAIM},
            "unknown": _TEXT,
            "not_looked_at": {"type": "array", "items": _TEXT},
            "plan": {"type": ["object", "null"]},
        },
        "required": ["claims", "unknown", "not_looked_at", "plan"],
    },
)
