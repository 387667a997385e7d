"""Saying what one thinks of a goal in Slack: two buttons under what has ended, and a form for what was wrong."""

from typing import Any, Final

from hitl.slack.blocks import Block, plain
from workflows.opinions.contracts import MAX_WORDS

BLOCK: Final = "banksman-opinion"
USEFUL: Final = "useful"
WRONG: Final = "wrong"
MODAL: Final = "banksman-opinion-words"
WORDS: Final = "words"
"""The form's one field."""


def opinion_buttons(value: str) -> Block:
    """For everybody whom the policy knows.

    Args:
        value: What a button carries of the message that it is under.
    """
    useful = {"type": "button", "action_id": USEFUL, "text": plain("Useful"), "value": value}
    wrong = {"type": "button", "action_id": WRONG, "text": plain("Wrong…"), "value": value}
    return {"type": "actions", "block_id": BLOCK, "elements": [useful, wrong]}


def wrong_form(about: str, carried: str) -> dict[str, Any]:
    """The form.

    Args:
        about: The clicked message's own first line.
        carried: What it hands on when it is sent.
    """
    field = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": MAX_WORDS}
    return {
        "type": "modal",
        "callback_id": MODAL,
        "private_metadata": carried,
        "title": {"type": "plain_text", "text": "Wrong"},
        "submit": {"type": "plain_text", "text": "Say so"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {"type": "section", "text": plain(about or "What this goal did")},
            {
                "type": "input",
                "block_id": WORDS,
                "label": {"type": "plain_text", "text": "What was wrong?"},
                "element": field,
                "optional": False,
            },
        ],
    }
