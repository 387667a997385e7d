"""A manifest is anybody's text: what it costs to read is bounded, and nothing hides in it or in what is said of it."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.workflows.manifest.told import SMALL, WHOLE, with_
from workflows.manifest.reading import ManifestError, read_manifest
from workflows.manifest.text import MOST_BYTES, Mistake, read_text

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nversion: *c\n"


def told(data: bytes) -> list[Mistake]:
    """The mistakes of any bytes; none where they are a manifest."""
    try:
        read_manifest(data)
    except ManifestError as error:
        return error.mistakes or pytest.fail("refused without a mistake")
    return []


def refused(data: str | bytes) -> tuple[int, int, str]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(data if isinstance(data, bytes) else data.encode())
    first = caught.value.mistakes[0]
    return first.line, first.column, first.message


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        (BOMB, 1, 4, "anchors and aliases"),
        ("version: *x", 1, 10, "anchors and aliases"),
        ("version: !!python/object/apply:os.system [id]", 1, 10, "the tag"),
        ("version: !x 1", 1, 10, "the tag '!x' is not taken here"),
        ("version: !!str 1", 1, 10, "the tag"),
        ("version: 1\n---\nversion: 1\n", 2, 1, "a second document begins here"),
        ("service:\n\tname: shop\n", 2, 1, "a tab stands here; YAML indents with spaces"),
        ("[" * 60_000, 1, 13, "more than 12 levels deep"),
        ("{a: " * 10_000, 1, 49, "more than 12 levels deep"),
        ("- " * 30_000, 1, 25, "more than 12 levels deep"),
        ("[" + "a," * 20_000, 1, 10_000, "more than 5000 values"),
        ("k: 1\n" * 5_000, 2500, 4, "more than 5000 values"),
        ("#" * (MOST_BYTES + 1), 1, 1, "is larger than 64 kB"),
        ("version: 1\nversion: 1\n", 2, 1, "the key 'version' is already on line 1"),
        ("service: {name: a, name: b}", 1, 20, "the key 'name' is already on line 1"),
        ("yes: 1", 1, 1, "YAML reads 'yes' as something else than text"),
        ("<<: {a: 1}", 1, 1, "YAML reads '<<' as something else than text"),
        ("? [a]\n: 1", 1, 3, "this is not YAML"),
        ("a: b: c", 1, 5, "a second ':' stands in this line"),
        ("a: [b", 1, 6, "a ',' or the closing ']' is missing"),
        ("a: 'b", 1, 6, "a quote is not closed"),
        ("a: @b", 1, 4, "put the text in quotes"),
        ('a: "\\q"', 1, 6, "a backslash in double quotes"),
        ("service:\n  name: x\n owner: y\n", 3, 2, "not indented as the ones before it"),
        ("", 1, 1, "is empty; `banksman manifest init`"),
        ("# only a comment\n", 1, 1, "is empty"),
        ("[1, 2]", 1, 1, "is not a mapping; begin with `version: 1`"),
        ("just text", 1, 1, "`just text` is not a mapping"),
        (f"version: {'9' * 5000}", 1, 1, "this is not YAML"),
        (f"version: 0x{'f' * 5000}", 1, 10, "write it plainly"),
    ],
)
def test_it_is_refused_where_it_begins(text: str, line: int, column: int, part: str) -> None:
    found = refused(text)
    assert found[:2] == (line, column)
    assert part in found[2]


def test_what_is_no_utf_8_is_refused_where_it_begins() -> None:
    assert refused(b"version: 1\nservice: \xff\xfe") == (2, 10, "is not UTF-8 from here on; save it as UTF-8")


def test_a_mark_of_the_byte_order_and_lines_of_windows_are_no_mistake() -> None:
    assert read_manifest(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode()).manifest.service.name == "shop"


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u2066", "\u200f", "\u0085", "\u2028", "\x07", "\x1b[31m", "\r ", "\x00"]
)
@pytest.mark.parametrize("text", ["# {}\n", "test: {{command: [make, 'a{}']}}", "{}x: 1"])
def test_what_turns_text_or_commands_a_terminal_is_refused_everywhere(hidden: str, text: str) -> None:
    line, _, message = refused(with_(text.format(hidden)))
    assert line == 5
    assert f"U+{ord(hidden[0]):04X}" in message
    assert message.isprintable()


@pytest.mark.parametrize("hidden", ["\u200b", "\u2060", "\u00a0", "\ufeff", "\U000e0041", "\u3164", "\u2800"])
def test_what_is_not_seen_is_refused_in_keys_and_values(hidden: str) -> None:
    for text in (f"service:\n  name: shop\n  owner: {{team: w{hidden}eb}}", f"ver{hidden}sion: 1"):
        *_, message = refused(text)
        assert f"U+{ord(hidden):04X}" in message
        assert message.isprintable()


def test_people_write_in_their_own_script() -> None:
    text = SMALL.replace("team: web", "team: Веб-команда №1") + "# ⚠️ 注意\n"
    assert read_manifest(text.encode()).manifest.service.owner.team == "Веб-команда №1"


def test_places_are_counted_from_one_in_characters() -> None:
    read = read_text("a: ж\nбв: {c: 1}\n".encode())
    found = read.mistake(("бв", "c"), "")
    assert (found.line, found.column) == (2, 9)


_pieces = st.sampled_from(
    [
        *"[]{}:,-#&*!|>'\"%@`?\n \t",
        "a",
        "version: 1\n",
        "\u202e",
        "\x00",
        "é",
        "- ",
        "  ",
        "<<",
        "---\n",
        "!!x ",
        "\ud7ff",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_pieces, max_size=60).map("".join))
@example(WHOLE[:-3])
@example("a:\n\n\n  - |\n   b\n  -")
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    lines = text.replace("\r\n", "\n").split("\n")
    for one in told(text.encode()):
        assert 1 <= one.line <= len(lines) + 1
        assert one.column >= 1
        assert (one.where + one.message).isprintable()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_so_are_any_bytes(data: bytes) -> None:
    assert all(one.message.isprintable() for one in told(data))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_manifest_with_one_line_gone_or_changed_is_read_or_refused_in_words(data: st.DataObject) -> None:
    lines = WHOLE.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    others = ["", "  x: 1\n", "- y\n", lines[at] * 2, lines[at].replace(":", ""), lines[at][1:]]
    changed = "".join(itertools.chain(lines[:at], [data.draw(st.sampled_from(others))], lines[at + 1 :]))
    assert all(one.message.isprintable() for one in told(changed.encode()))
