"""What the scripted model knows of code: a greeting anywhere, and three things of the example `acme/storefront`."""

from typing import Final

from pydantic import JsonValue

from connectors.models.twin.score import Cue, ScriptedCall, When

_CODES: Final = "You change code for Banksman"
_REVIEWS: Final = "You review a pull request for Banksman"
_TAKES_UP: Final = "People reviewed it: take up what they said"
_TESTED: Final = """\
import unittest

from app.window import price


class TestPrice(unittest.TestCase):
    def test_cents_have_two_digits(self) -> None:
        self.assertEqual(price(5), "$$0.05")
"""
"""A dollar is written twice, as in every text of a score."""
_GREETS: Final = r'"asked": "Say in (?P<path>\S+) how to greet: with the word (?P<word>\w+)\.'
_TESTS: Final = r'"asked": "Add tests for the window\.'
_MENDS: Final = r'"asked": "Mend the price in the window\.'
_NAMES: Final = r"comment (?P<comment>\d+): (?P<path>[^\s:]+)\S* gave [\s\S]*?[Nn]ame the test (?P<name>test_\w+)"
_KNOWS: Final = (
    "This model is scripted. Ask `Say in PATH how to greet: with the word WORD.`, and of acme/storefront `Add tests "
    "for the window.` or `Mend the price in the window.`; in review it takes up `Name the test test_NAME`. "
    "docs/how-to/add-a-model.md tells how to add a real one."
)


def _changed(title: str, explanation: str, **more: JsonValue) -> JsonValue:
    return {"title": title, "explanation": explanation, "fails_without": False, "nothing": "", **more}


def _writes(first: str, *calls: ScriptedCall) -> Cue:
    return Cue(when=When(system=_CODES, by="user", first=first), call=calls)


def _says(first: str, answer: JsonValue) -> Cue:
    return Cue(when=When(system=_CODES, by="tool", first=first), answer=answer)


CODING: Final = (
    _writes(
        _NAMES,
        ScriptedCall(
            tool="replace_in_file",
            arguments={"path": "${path}", "old": "test_cents_have_two_digits", "new": "${name}"},
        ),
    ),
    _says(
        _NAMES,
        _changed(
            "Name the test by what it shows",
            "It is named as was asked for in review.",
            answers=[{"comment": "${comment}", "says": "It is called ${name} now."}],
        ),
    ),
    Cue(
        when=When(system=_TAKES_UP),
        answer=_changed("", "", nothing=_KNOWS, answers=[]),
    ),
    _writes(_GREETS, ScriptedCall(tool="write_file", arguments={"path": "${path}", "content": "Say ${word}.\n"})),
    _says(_GREETS, _changed("Say how to greet", "It says with which word to greet.")),
    _writes(_TESTS, ScriptedCall(tool="write_file", arguments={"path": "tests/test_price.py", "content": _TESTED})),
    _says(_TESTS, _changed("Test the price in the window", "A price below a dollar has two digits of cents.")),
    _writes(
        _MENDS,
        ScriptedCall(
            tool="replace_in_file",
            arguments={"path": "app/window.py", "old": '.{cents % 100}"', "new": '.{cents % 100:02}"'},
        ),
    ),
    _says(
        _MENDS,
        _changed("Show both digits of the cents", "Less than ten cents had one digit.", fails_without=True),
    ),
    Cue(when=When(system=_CODES), answer=_changed("", "", nothing=_KNOWS)),
    Cue(
        when=When(system=_REVIEWS),
        answer={"summary": "This model is scripted, and finds nothing in any change.", "comments": []},
    ),
)
