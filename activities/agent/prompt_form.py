"""The form of a planner's answer, apart from what it is told: workflow code names the one, and never the other."""

from typing import Final

from connectors.models.messages import OutputSchema

ANSWERS: Final = ("plan", "question", "refusal")
SCHEMA: Final = OutputSchema(
    name="answer",
    description="A plan, a question or a refusal.",
    json_schema={
        "type": "object",
        "properties": {
            "answer": {"type": "string", "enum": list(ANSWERS)},
            "says": {"type": "string"},
            "plan": {"type": ["object", "null"]},
        },
        "required": ["answer", "says", "plan"],
    },
)
