"""What a comment's first line is read as, and what it never is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.github.commands import Command, Misread, read_command
from hitl.policy.triggers import SlashCommand


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/banksman", Command(word=SlashCommand.HELP)),
        ("/banksman help", Command(word=SlashCommand.HELP)),
        ("/banksman\tstatus", Command(word=SlashCommand.STATUS)),
        ("/banksman status read-file/acme/shop/README.md\r\nmore", Command(
            word=SlashCommand.STATUS, id="read-file/acme/shop/README.md"
        )),
        ("/banksman ask add tests for the cart", Command(word=SlashCommand.ASK, given="add tests for the cart")),
        ('/banksman ask "don\'t touch the cart"', Command(word=SlashCommand.ASK, given="don't touch the cart")),
        ("/banksman ask “add tests”", Command(word=SlashCommand.ASK, given="add tests")),
        ("/banksman cancel", Command(word=SlashCommand.CANCEL)),
        ("/banksman retry a/b", Command(word=SlashCommand.RETRY, id="a/b")),
        ("/banksman approve approval/x/1 sha256:0123456789ab", Command(
            word=SlashCommand.APPROVE, id="approval/x/1", digest="0123456789ab"
        )),
        ("/banksman approve approval/x/1", Command(word=SlashCommand.APPROVE, id="approval/x/1")),
        ("/banksman reject approval/x/1 not on a Friday", Command(
            word=SlashCommand.REJECT, id="approval/x/1", reason="not on a Friday"
        )),
    ],
)  # fmt: skip
def test_the_first_line_is_a_command(body: str, command: Command) -> None:
    assert read_command(body) == command


def test_fields_become_an_input_and_a_field_of_many_is_written_as_a_list() -> None:
    read = read_command("/banksman run ReadFile repository=acme/shop path='docs/a b.md' labels='[\"x\"]' n=3")
    assert isinstance(read, Command)
    assert json.loads(read.given) == {"repository": "acme/shop", "path": "docs/a b.md", "labels": ["x"], "n": "3"}
    whole = read_command('/banksman run ReadFile {"repository": "acme/shop", "path": "a\'b"}')
    assert whole == Command(word=SlashCommand.RUN, goal="ReadFile", given='{"repository": "acme/shop", "path": "a\'b"}')


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello\n/banksman run ReadFile",
        "> /banksman run ReadFile",
        " /banksman run ReadFile",
        "`/banksman run ReadFile`",
        "/banksmanx run ReadFile",
        "/Banksman run ReadFile",
        "\n/banksman status",
        "<!-- --> /banksman status",
    ],
)
def test_no_other_line_and_nothing_quoted_is_a_command(body: str) -> None:
    assert read_command(body) is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("/banksman destroy all", "There is no command 'destroy'"),
        ("/banksman \u202erun x", "\\\\u202e"),
        ("/banksman run", "Name a goal"),
        ("/banksman run ../x", "Name a goal"),
        ("/banksman run ReadFile path", "no `key=value`"),
        ("/banksman run ReadFile path=a path=b", "there twice"),
        ("/banksman run ReadFile path='a", "not closed"),
        ('/banksman ask ""', "Say what is to be done"),
        ("/banksman approve", "no id"),
        ("/banksman approve a yes", "no digest"),
        ("/banksman reject a", "Say why"),
        (f"/banksman reject a {'x' * 501}", "500 characters"),
        ("/banksman status a b", "no id"),
        (f"/banksman ask {'x' * 9000}", "4000 at most"),
    ],
)
def test_what_is_misread_is_said_with_the_way_out(body: str, says: str) -> None:
    read = read_command(body)
    assert isinstance(read, Misread)
    assert says in read.words.replace("\\u", "\\\\u") or says in read.words


@given(st.text(max_size=200))
def test_whatever_is_written_is_read_without_an_exception_and_told_without_what_hides(text: str) -> None:
    read = read_command(f"/banksman {text}")
    if isinstance(read, Misread):
        assert all(one.isprintable() or one == "\n" for one in read.words)
