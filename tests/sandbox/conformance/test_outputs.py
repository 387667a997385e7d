"""Outputs of every kind arrive unchanged, live, and bounded."""

import hashlib

import pytest

from sandbox.spec import Limits
from tests.sandbox.running import Run

pytestmark = pytest.mark.docker


async def test_unicode_and_its_absence_of_a_last_newline(run: Run) -> None:
    result = await run("printf", "ä→😀\\nend")
    assert result.stdout.text == "ä→😀\nend"


async def test_binary_output_is_kept_byte_by_byte(run: Run) -> None:
    every = bytes(range(256)) * 40
    result = await run("python3", "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 40)")
    assert result.stdout.head == every
    assert not result.stdout.truncated


async def test_bytes_that_are_not_utf8_are_shown_replaced(run: Run) -> None:
    result = await run("printf", "ok\\377ok")
    assert result.stdout.text == "ok\ufffdok"


async def test_the_two_outputs_are_kept_apart(run: Run) -> None:
    result = await run("sh", "-c", "echo out; echo err >&2; echo out")
    assert (result.stdout.text, result.stderr.text) == ("out\nout\n", "err\n")


async def test_a_flood_is_bounded_and_its_two_ends_are_kept(run: Run) -> None:
    code = "import sys; w = sys.stdout.buffer.write; w(b'first' + b'x' * 60_000_000 + b'last!')"
    result = await run("python3", "-c", code, limits=Limits(output_bytes=1000))
    assert result.exit_code == 0
    assert (len(result.stdout.head), len(result.stdout.tail)) == (500, 500)
    assert result.stdout.head.startswith(b"first")
    assert result.stdout.tail.endswith(b"last!")
    assert result.stdout.dropped == 60_000_010 - 1000
    assert "left out" in result.stdout.text


async def test_an_output_of_exactly_the_limit_is_whole(run: Run) -> None:
    result = await run("head", "-c", "1001", "/dev/zero", limits=Limits(output_bytes=1001))
    assert (len(result.stdout.head), result.stdout.dropped) == (1001, 0)


async def test_one_byte_more_is_counted(run: Run) -> None:
    result = await run("head", "-c", "1002", "/dev/zero", limits=Limits(output_bytes=1001))
    assert (len(result.stdout.head) + len(result.stdout.tail), result.stdout.dropped) == (1001, 1)


async def test_nothing_is_kept_when_nothing_may_be(run: Run) -> None:
    result = await run("echo", "hello", limits=Limits(output_bytes=0))
    assert (result.stdout.head, result.stdout.dropped) == (b"", 6)


async def test_a_large_output_within_the_limit_is_unchanged(run: Run) -> None:
    code = "import hashlib,sys; sys.stdout.buffer.write(hashlib.shake_256(b'large').digest(5_000_000))"
    result = await run("python3", "-c", code, limits=Limits(output_bytes=6_000_000))
    assert result.stdout.head == hashlib.shake_256(b"large").digest(5_000_000)


async def test_output_comes_live(run: Run) -> None:
    """The command goes on only when a file appears that nobody makes: it ends by its time, its output came before."""
    pieces: list[tuple[str, bytes]] = []
    result = await run(
        "sh", "-c", "echo one; echo two >&2; sleep 60",
        on_output=lambda stream, data: pieces.append((stream, data)),
        limits=Limits(wall_seconds=1, grace_seconds=0),
    )  # fmt: skip
    assert result.ended == "timeout"
    assert sorted(pieces) == [("stderr", b"two\n"), ("stdout", b"one\n")]


async def test_output_before_a_timeout_is_kept(run: Run) -> None:
    result = await run("sh", "-c", "echo before; sleep 60", limits=Limits(wall_seconds=0.5, grace_seconds=0))
    assert (result.ended, result.stdout.text) == ("timeout", "before\n")


async def test_telemetry_lines_come_out_without_a_network(run: Run) -> None:
    line = '{"resourceSpans": []}'
    result = await run("sh", "-c", f"echo '{line}' > $BANKSMAN_TELEMETRY")
    assert result.telemetry.decode() == line + "\n"


async def test_telemetry_is_bounded(run: Run) -> None:
    code = "open('/run/banksman/telemetry', 'wb').write(b'x' * 3_000_000)"
    result = await run("python3", "-c", code, limits=Limits(telemetry_bytes=1000))
    assert (result.exit_code, len(result.telemetry)) == (0, 1000)


async def test_a_child_that_holds_the_output_open_does_not_hold_the_run(run: Run) -> None:
    result = await run("sh", "-c", "sleep 60 & echo done")
    assert (result.exit_code, result.stdout.text) == (0, "done\n")
    assert result.usage.run_seconds < 5
