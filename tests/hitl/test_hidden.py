"""What a person cannot see is written out, by Unicode's own properties; what they can see stays as it is."""

import json
import subprocess
import sys
import unicodedata

import pytest
from playwright._impl._driver import compute_driver_executable

from hitl.hidden import IGNORABLE, nothing_hidden, unhidden, unhidden_lines, visible

UNSEEN = [
    *("\u3164", "\u034f", "\ufe0f", "\u2800", "\u00a0", "\u115f", "\u1160", "\uffa0", "\u17b4", "\u3000", "\u2003"),
    *("\u200b", "\u200d", "\u2060", "\u2065", "\ufeff", "\u00ad", "\u180e", "\u061c", "\u1680", "\u202f", "\U0001d159"),
    *("\u202e", "\u2066", "\u2028", "\x00", "\x1b", "\x7f", "\x9b", "\n", "\r", "\t", "\ud800", "\ue000", "\u0378"),
    *("\U000e0100", "\U000e0041", "\U000e01ef", "\U0001bca0", "\U0001d173", "\U000e0fff", "\U000f0000", "\U0010ffff"),
]
SEEN = [
    "ünï 😀",
    "feature/x-1_2",
    "日本語 한국어 ไทยคน हिन्दी العربية",
    "e\u0301",
    "בְּרֵאשִׁ֖ית",
    "tiê\u0323\u0301ng",
    "a\\b C:\\users \\n",
    "☃ ✓ €",
]


@pytest.mark.parametrize("character", UNSEEN, ids=lambda one: f"{ord(one):04x}")
def test_what_nobody_sees_is_written_as_its_number(character: str) -> None:
    code = ord(character)
    number = f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08X}"
    assert visible(f"a{character}b") == unhidden(f"a{character}b") == f"a{number}b"
    for value in (character, f"main{character}", f"ma{character}in"):
        with pytest.raises(ValueError, match=rf"U\+{code:04X}, which a person cannot see"):
            nothing_hidden(value)


@pytest.mark.parametrize("text", SEEN)
def test_what_people_read_stays(text: str) -> None:
    assert nothing_hidden(text) == visible(text) == unhidden(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\u0301main", "\\u0301main"),
        ("x \u0301y", "x \\u0301y"),
        ("a\u0301\u0302\u0303\u0304\u0305b", "a\u0301\u0302\u0303\u0304\\u0305b"),
        ("\u200d\u20e3", "\\u200d\\u20e3"),
    ],
)
def test_marks_without_a_letter_or_too_many_on_one(text: str, told: str) -> None:
    assert visible(text) == told
    with pytest.raises(ValueError, match="a person cannot see"):
        nothing_hidden(text)


def test_nobody_can_write_what_looks_like_a_character_that_was_written_out() -> None:
    assert visible("\\u200b") == "\\u005cu200b" != visible("\u200b")
    assert visible("\\U000E0100") == "\\u005cU000E0100" != visible("\U000e0100")
    # Unambiguous also where more digits follow.
    assert visible("\U000e0100") == "\\U000E0100" != visible("\u000e0100") == "\\u000e0100"
    texts = [
        first + second for first in (*UNSEEN, "\\", "\\u", "\\u200b", "a") for second in ("200b", "u200b", "\u200b")
    ]
    assert len({visible(one) for one in texts}) == len(set(texts))


def test_what_was_made_visible_stays_so() -> None:
    planes = (
        range(0x1000),
        range(0x2000, 0x3200),
        range(0xD700, 0xE100),
        range(0xF800, 0x10400),
        range(0xE0000, 0xE1100),
    )
    every = "".join(chr(code) for codes in planes for code in codes)
    told = visible(every)
    assert unhidden(told) == nothing_hidden(told) == told
    assert unhidden_lines("a\nb\u200b\n") == "a\nb\\u200b\n"


def test_the_table_is_unicodes_own() -> None:
    node, _ = compute_driver_executable()
    script = """
        const found = [], ignorable = /\\p{Default_Ignorable_Code_Point}/u;
        for (let code = 0; code < 0x110000; code++)
            if ((code < 0xd800 || code > 0xdfff) && ignorable.test(String.fromCodePoint(code))) found.push(code);
        console.log(JSON.stringify([process.versions.unicode, found]));
    """
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, timeout=50, check=True)
    version, found = json.loads(done.stdout)
    assert tuple(map(int, version.split("."))) >= tuple(map(int, unicodedata.unidata_version.split(".")[:2]))
    assert found == [code for first, last in IGNORABLE for code in range(first, last + 1)]


def test_it_loads_nothing_that_a_workflow_may_not() -> None:
    code = "import sys, hitl.hidden; print(sorted({m.split('.')[0] for m in sys.modules} & {'temporalio', 'pydantic'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.strip() == "[]"
