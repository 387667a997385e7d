"""The chain: what is written, what survives, and what `verify` finds."""

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import structlog

from activities.guard.approval_facts import ApprovalFacts, DecidedBy
from activities.guard.audit import GENESIS, AuditEvent, AuditLog, AuditRecord, Head
from activities.guard.audit_verify import verify
from hitl.protocol import Effect, Phase

EARLIER = (
    '{"action":"github.read_file","activity_id":"1","attempt":1,"context":{"repository_owner":"äcme"},"du'
    'ration_ms":null,"effect":"read","environment":"local","error":null,"event":"allowed","hash":"cc6be2e'
    '35034851daeb57400d498c4900caab98f1089aef20fe7ad0677bceea4","phase":"read_only","prev":"0000000000000'
    '000000000000000000000000000000000000000000000000000","reason":null,"recovered":null,"role":"connecto'
    'rs","rule":null,"run_id":null,"seq":1,"time":"2026-11-21T14:02:10.476758+00:00","workflow_id":"read-'
    'file/0","workflow_type":"ReadFile"}'
)
"""A line of a release that knew no approvals."""


def event(number: int = 0) -> AuditEvent:
    return AuditEvent(
        event="allowed",
        environment="local",
        role="connectors",
        action="github.read_file",
        effect=Effect.READ,
        phase=Phase.READ_ONLY,
        workflow_id=f"read-file/{number}",
        workflow_type="ReadFile",
        run_id=None,
        activity_id="1",
        attempt=1,
        context={"repository_owner": "äcme"},
    )


def written(path: Path, count: int = 5) -> list[Head]:
    log = AuditLog(path)
    heads = [Head(seq=record.seq, hash=record.hash) for record in map(log.append, map(event, range(count)))]
    log.close()
    return heads


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "connectors.jsonl"


def test_one_line_each_with_every_field_and_absent_ids_as_null(path: Path) -> None:
    written(path, 2)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["prev"] == GENESIS
    assert (first["seq"], second["seq"], second["prev"]) == (1, 2, first["hash"])
    assert first["run_id"] is None
    assert first["workflow_id"] == "read-file/0"
    assert first["context"] == {"repository_owner": "äcme"}
    assert first["time"].endswith("+00:00")
    assert path.stat().st_mode & 0o077 == 0o040 & ~_umask()


def test_a_line_of_an_earlier_release_is_read_and_followed(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(f"{EARLIER}\n", encoding="utf-8")
    written(path, 1)
    report = verify(path)
    assert (report.ok, report.records, report.problems) == (True, 2, [])


def test_an_approval_is_part_of_the_chain(path: Path) -> None:
    decided = DecidedBy(person="alice", verdict="approve", surface="slack")
    facts = ApprovalFacts(id="approval/x/1", digest="sha256:ab", requester="slack:U0ERIN", decisions=(decided,))
    log = AuditLog(path)
    for one in (event(), event().model_copy(update={"approval": facts}), event()):
        log.append(one)
    log.close()
    assert verify(path).ok
    lines = path.read_text(encoding="utf-8").splitlines()
    assert ["approval" in json.loads(line) for line in lines] == [False, True, False]
    assert json.loads(lines[1])["approval"]["decisions"] == [decided.model_dump()]
    path.write_text("\n".join([lines[0], lines[1].replace("alice", "mallo"), lines[2], ""]), encoding="utf-8")
    assert not verify(path).ok


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_every_event_goes_to_the_logger_with_its_place_in_the_chain(path: Path) -> None:
    log = AuditLog(path)
    with structlog.testing.capture_logs() as logs:
        record = log.append(event())
        log.announce(record)
    log.close()
    assert logs[0]["event"] == "allowed"
    assert logs[0]["logger"] == "banksman.audit"
    assert (logs[0]["seq"], logs[0]["hash"]) == (1, record.hash)


def test_the_chain_goes_on_over_restarts(path: Path) -> None:
    heads = [written(path, 3), written(path, 2), written(path, 1)]
    report = verify(path)
    assert (report.ok, report.records, report.head) == (True, 6, heads[-1][-1])
    assert report.recovered == []


def test_two_logs_of_one_file_do_not_fork_it(path: Path) -> None:
    one, other = AuditLog(path), AuditLog(path)
    for number in range(10):
        (one if number % 3 else other).append(event(number))
    one.close()
    other.close()
    report = verify(path)
    assert (report.problems, report.records) == ([], 10)


def _append_many(path: Path, count: int, together: Barrier) -> None:
    together.wait()
    written(path, count)


def test_processes_and_threads_at_once_do_not_fork_it(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(3)
    workers = [context.Process(target=_append_many, args=(path, 400, together)) for _ in range(2)]
    for worker in workers:
        worker.start()
    together.wait()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(written, [path, path], [20, 20]))
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    report = verify(path)
    assert (report.problems, report.records) == ([], 840)


def edit(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b"read_file", b"read_tree")


def edit_and_hash_again(lines: list[bytes]) -> None:
    record = AuditRecord.model_validate_json(lines[2])
    lines[2] = record.model_copy(update={"action": "github.read_tree"}).sealed().line()


def delete(lines: list[bytes]) -> None:
    del lines[2]


def reorder(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def repeat(lines: list[bytes]) -> None:
    lines.insert(2, lines[2])


def cut_front(lines: list[bytes]) -> None:
    del lines[:2]


def respell(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b'"attempt":1', b'"attempt": 1')


def add_field(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b'{"action"', b'{"aaa":1,"action"')


def insert_noise(lines: list[bytes]) -> None:
    lines.insert(2, b"hello\n")


def blank(lines: list[bytes]) -> None:
    lines.insert(2, b"\n")


@pytest.mark.parametrize(
    "tamper",
    [edit, edit_and_hash_again, delete, reorder, repeat, cut_front, respell, add_field, insert_noise, blank],
)
def test_verify_finds(path: Path, tamper: Callable[[list[bytes]], None]) -> None:
    written(path)
    assert verify(path).ok
    lines = path.read_bytes().splitlines(keepends=True)
    tamper(lines)
    path.write_bytes(b"".join(lines))
    assert not verify(path).ok


def test_a_cut_front_is_called_by_its_name(path: Path) -> None:
    written(path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[2:]))
    assert verify(path).problems == ["line 1: event 3 does not follow event 0: cut at the front"]


def test_a_cut_tail_needs_an_anchor_from_elsewhere(path: Path) -> None:
    heads = written(path)
    assert verify(path, anchor=heads[-1]).ok
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(path).ok
    assert "its tail was cut" in verify(path, anchor=heads[-1]).problems[0]


def test_a_tail_cut_while_the_log_is_open_shows(path: Path) -> None:
    log = AuditLog(path)
    for number in range(4):
        log.append(event(number))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    log.append(event(4))
    log.close()
    assert verify(path).problems == ["line 3: event 5 does not follow event 2: deleted, inserted or moved lines"]


@pytest.mark.parametrize("left", [1, 50, -2])
def test_a_torn_line_is_kept_and_the_chain_goes_on_behind_it(path: Path, left: int) -> None:
    written(path, 3)
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole) + last[:left])
    torn = verify(path)
    assert "torn by a crash just now" in torn.problems[0]
    written(path, 2)
    report = verify(path)
    assert (report.problems, report.records) == ([], 4)
    assert report.recovered == [f"line 3: {len(last[:left]) + 1} bytes torn by a crash"]


def test_a_line_that_only_lacks_its_end_is_whole(path: Path) -> None:
    written(path, 3)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    written(path, 1)
    report = verify(path)
    assert (report.problems, report.recovered, report.records) == ([], [], 4)


def test_two_crashes_in_a_row_are_recovered_as_one(path: Path) -> None:
    written(path, 2)
    with path.open("ab") as file:
        file.write(b'{"torn\n{"again')
    written(path, 1)
    report = verify(path)
    assert (report.problems, report.records, len(report.recovered)) == ([], 3, 1)


def test_a_file_that_is_all_torn_begins_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"action"')
    written(path, 1)
    report = verify(path)
    assert (report.problems, report.records, len(report.recovered)) == ([], 1, 1)


def test_what_was_torn_may_not_be_taken_away_or_changed(path: Path) -> None:
    written(path, 2)
    with path.open("ab") as file:
        file.write(b'{"torn')
    written(path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'{"torn\n', b""))
    assert "removed" in verify(path).problems[0]
    path.write_bytes(whole.replace(b'{"torn', b'{"tarn'))
    assert "edited" in verify(path).problems[0]


def test_a_rotated_log_goes_on_in_its_new_file(path: Path) -> None:
    log = AuditLog(path)
    head = Head(seq=1, hash=log.append(event()).hash)
    path.rename(path.with_suffix(".1"))
    log.append(event())
    log.close()
    assert verify(path.with_suffix(".1")).head == head
    assert verify(path, follows=head).ok
    assert not verify(path).ok


def test_a_long_line_is_found_again(path: Path) -> None:
    log = AuditLog(path)
    log.append(event().model_copy(update={"workflow_id": "x" * 20_000}))
    log.close()
    with path.open("ab") as file:
        file.write(b"y" * 50_000)
    written(path, 1)
    report = verify(path)
    assert (report.problems, report.records) == ([], 2)


def test_a_log_that_cannot_be_written_says_so(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="File exists"):
        AuditLog(tmp_path / "file" / "audit.jsonl")
