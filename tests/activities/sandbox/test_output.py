"""What people see of a command while it runs: bounded, whole characters, and no secret in it."""

from structlog.testing import capture_logs

from activities.sandbox.output import LiveOutput, masked
from observability.names import LOG_STREAM, SERVICE_SANDBOX_OUTPUT

SECRET = b"line one of it\nline two\n"


def follow(*pieces: bytes, secrets: tuple[bytes, ...] = ()) -> tuple[list[str], list[object]]:
    """The lines logged, and the beats."""
    beats: list[object] = []
    live = LiveOutput(secrets, beat=beats.append)
    with capture_logs() as logs:
        for piece in pieces:
            live.take("stdout", piece)
        live.end()
    return [str(one["line"]) for one in logs if one["event"] == "output"], beats


def test_pieces_become_lines() -> None:
    assert follow(b"one\ntw", b"o\n", b"three")[0] == ["one", "two", "three"]


def test_a_character_that_comes_in_two_pieces_is_one() -> None:
    assert follow("ü".encode()[:1], "ü".encode()[1:] + b"\n")[0] == ["ü"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert follow(b"\xff\xfe\n")[0] == ["\ufffd\ufffd"]


def test_the_two_streams_are_told_apart() -> None:
    live = LiveOutput((), beat=lambda _: None)
    with capture_logs() as logs:
        live.take("stdout", b"a")
        live.take("stderr", b"b")
        live.end()
    assert [(one["stream"], one["line"]) for one in logs] == [("stdout", "a"), ("stderr", "b")]
    assert {one[LOG_STREAM] for one in logs} == {SERVICE_SANDBOX_OUTPUT}, "apart from the worker's own lines"


def test_a_flood_is_logged_up_to_a_bound_and_beats_go_on() -> None:
    lines, beats = follow(b"x\n" * 2000)
    assert len(lines) == 500
    assert len(beats) == 2000


def test_a_line_without_an_end_is_not_kept() -> None:
    lines, _ = follow(*[b"y" * 100_000] * 20)
    assert [len(line) for line in lines] == [400]


def test_a_beat_tells_how_far_it_is() -> None:
    _, beats = follow(b"step 1\nstep 2\n")
    assert [(beat["bytes"], beat["line"]) for beat in beats if isinstance(beat, dict)] == [
        (14, "step 1"),
        (14, "step 2"),
    ]


def test_no_line_of_a_secret_is_shown() -> None:
    lines, beats = follow(b"key: line one of it\nline two!\n", secrets=(SECRET,))
    assert lines == ["key: [secret]", "[secret]!"]
    assert "line two" not in str(beats)
    assert masked("a line one of it\nline two\nz", (SECRET,)) == "a [secret]\nz"


def test_what_is_too_short_to_be_a_secret_is_not_masked() -> None:
    assert masked("an x and a y", (b"x", b"")) == "an x and a y"
