"""Lines of log files go on whole, once, from where the files are when somebody begins to look."""

from pathlib import Path

from deploy.local.telemetry.lines import Files


def told(files: Files) -> list[tuple[str, str]]:
    return list(files.new_lines())


def test_only_what_comes_is_told_and_once(tmp_path: Path) -> None:
    log = tmp_path / "worker-goals.log"
    log.write_text("before\n")
    files = Files(tmp_path)
    assert told(files) == []
    with log.open("a") as more:
        more.write("one\n\ntwo\n")
    assert told(files) == [("worker-goals", "one"), ("worker-goals", "two")]
    assert told(files) == []
    files.close()


def test_a_file_that_comes_later_is_told_from_its_beginning(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert told(files) == []
    (tmp_path / "worker-sandbox.log").write_text("first\n")
    (tmp_path / "notes.txt").write_text("no log\n")
    assert told(files) == [("worker-sandbox", "first")]
    files.close()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    files, log = Files(tmp_path), tmp_path / "a.log"
    assert told(files) == []
    with log.open("wb") as half:
        half.write(b'{"event": "h\xc3')
        half.flush()
        assert told(files) == []
        half.write(b'\xa9"}\n')
    assert told(files) == [("a", '{"event": "hé"}')]
    files.close()


def test_a_line_that_never_ends_is_cut_and_what_is_no_text_is_told(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert told(files) == []
    (tmp_path / "a.log").write_bytes(b"x" * 10_000_000 + b"\n\xff\xfe\n")
    lines = [line for _, line in told(files)]
    assert max(map(len, lines)) <= 256 * 1024
    assert sum(map(len, lines[:-1])) == 10_000_000
    assert lines[-1] == "\N{REPLACEMENT CHARACTER}" * 2
    files.close()
