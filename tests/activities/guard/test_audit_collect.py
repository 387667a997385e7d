"""Collecting audit files: what came is copied and signed, and what does not follow is told and left out."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from activities.guard.audit import AuditLog
from connectors.errors import Unavailable
from tests.activities.guard.collecting import Books, event


@pytest_asyncio.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    made = Books(tmp_path)
    yield made
    made.close()


async def test_it_follows_and_signs_only_what_is_new(books: Books) -> None:
    books.write("destructive", "a")
    first = await books.look()
    assert await books.look() is None
    books.write("connectors", "b")
    second = await books.look()
    assert first is not None
    assert second is not None
    assert (first.read().seq, second.read().seq, second.read().prev) == (1, 2, first.hash)
    for role in ("destructive", "connectors"):
        assert books.copy(role).read_bytes() == books.file(role).read_bytes()
    assert books.collector.harmed == {}


async def test_what_a_process_takes_back_is_there_still(books: Books) -> None:
    books.write("destructive", "a", "b")
    await books.look()
    kept = books.copy("destructive").read_bytes()
    os.truncate(books.file("destructive"), 0)
    await books.look()
    assert "shorter than what was collected" in books.collector.harmed["destructive"]
    assert books.copy("destructive").read_bytes() == kept
    assert books.verified().ok


async def test_a_file_written_anew_is_not_collected_and_told(books: Books, tmp_path: Path) -> None:
    books.write("destructive", "a", "b")
    await books.look()
    books.file("destructive").unlink()
    anew = AuditLog(books.file("destructive"))
    for step in ("x", "y", "z"):
        anew.append(event("allowed", step))
    anew.close()
    assert await books.look() is None
    assert "does not follow event 4" in books.collector.harmed["destructive"]
    books.restart()
    assert await books.look() is None
    assert "is no longer in it: cut, or written anew" in books.collector.harmed["destructive"]
    assert books.verified().ok
    assert books.verified().events == 4


async def test_a_line_that_does_not_follow_holds_up_what_comes_after_it(books: Books) -> None:
    books.write("destructive", "a")
    await books.look()
    lines = books.file("destructive").read_bytes().splitlines(keepends=True)
    books.write("destructive", "b")
    with books.file("destructive").open("ab") as file:
        file.write(lines[0])
    await books.look()
    assert "event 1 does not follow event 4" in books.collector.harmed["destructive"]
    books.write("connectors", "c")
    assert await books.look() is not None
    assert books.verified().signed == {"connectors": 2, "destructive": 2}


async def test_a_restart_goes_on_where_the_copy_ends(books: Books) -> None:
    books.write("destructive", "a")
    await books.look()
    books.restart()
    books.write("destructive", "b")
    signed = await books.look()
    assert signed is not None
    assert signed.read().seq == 2
    assert books.copy("destructive").read_bytes() == books.file("destructive").read_bytes()


@pytest.mark.parametrize("left", [1, 40])
async def test_a_crash_while_it_copies_loses_nothing(books: Books, left: int) -> None:
    books.write("destructive", "a", "b")
    await books.look()
    whole = books.copy("destructive").read_bytes()
    books.collector.close()
    last = whole.splitlines(keepends=True)[-1]
    books.copy("destructive").write_bytes(whole[: len(whole) - len(last)] + last[:left])
    with (books.into / "checkpoints.jsonl").open("ab") as file:
        file.write(b'{"text": "torn')
    books.restart()
    await books.look()
    assert books.copy("destructive").read_bytes() == whole
    assert books.verified().ok


async def test_a_rotated_file_is_read_to_its_end_first(books: Books) -> None:
    books.write("destructive", "a")
    await books.look()
    books.write("destructive", "b")
    books.file("destructive").rename(books.folder / "destructive.1")
    books.write("destructive", "c")
    await books.look()
    assert books.collector.harmed == {}
    assert books.verified().events == 6
    books.restart()
    books.write("destructive", "d")
    await books.look()
    assert (books.collector.harmed, books.verified().events) == ({}, 8)


async def test_one_that_came_late_begins_where_the_file_does(books: Books) -> None:
    books.write("destructive", "a")
    books.file("destructive").rename(books.folder / "destructive.1")
    books.write("destructive", "b")
    await books.look()
    report = books.verified()
    assert (report.problems, report.events) == ([], 2)
    export = books.exported()
    del export.chains["destructive"][0]
    assert not books.verified(export).ok


async def test_a_line_that_is_being_written_is_waited_for(books: Books) -> None:
    books.write("destructive", "a")
    with books.file("destructive").open("ab") as file:
        file.write(b'{"half')
    await books.look()
    assert books.collector.harmed == {}
    books.write("destructive", "b")
    await books.look()
    assert (books.collector.harmed, books.verified().events) == ({}, 4)


async def test_two_collectors_of_one_folder_are_one(books: Books) -> None:
    books.write("destructive", "a")
    other = books.another()
    await books.look()
    other.collect()
    assert await other.checkpoint() is None
    books.collector.close()
    books.write("destructive", "b")
    other.collect()
    assert await other.checkpoint() is not None
    assert books.verified().ok
    other.close()


async def test_an_alert_sees_harm_and_a_vault_that_does_not_sign(books: Books) -> None:
    def told() -> float | None:
        return REGISTRY.get_sample_value("banksman_audit_collected")

    books.write("destructive", "a")
    await books.collector._look()
    assert told() == 1
    books.vault.sealed = True
    books.write("destructive", "b")
    await books.collector._look()
    assert told() == 0
    books.vault.sealed = False
    await books.collector._look()
    assert told() == 1
    os.truncate(books.file("destructive"), 0)
    await books.collector._look()
    assert told() == 0


async def test_files_without_end_or_with_odd_names_are_not_collected(books: Books) -> None:
    books.write("destructive", "a")
    line = books.file("destructive").read_bytes()
    for number in range(30):
        (books.folder / f"made-up-{number:02}.jsonl").write_bytes(line)
    (books.folder / "..x.jsonl").write_bytes(line)
    os.mkfifo(books.folder / "a-pipe.jsonl")
    mine = books.folder / "sandbox"
    mine.mkdir()
    for role in ("sandbox", "connectors", "another"):
        (mine / f"{role}.jsonl").write_bytes(line)
    await books.look()
    found = {path.stem for path in (books.into / "chains").iterdir()}
    assert len(found) <= 20
    assert {"destructive", "made-up-00"} <= found
    assert not found & {"..x", "a-pipe", "another", "connectors", "made-up-29"}


async def test_each_process_has_a_folder_of_its_own_or_all_have_one(books: Books) -> None:
    own = books.folder / "sandbox"
    own.mkdir()
    log = AuditLog(own / "sandbox.jsonl")
    log.append(event(role="sandbox"))
    log.close()
    books.write("destructive", "a")
    signed = await books.look()
    assert signed is not None
    assert set(signed.read().chains) == {"destructive", "sandbox"}


async def test_a_sealed_vault_costs_no_line_and_is_signed_later(books: Books) -> None:
    books.write("destructive", "a")
    books.vault.sealed = True
    with pytest.raises(Unavailable):
        await books.look()
    assert books.copy("destructive").read_bytes() == books.file("destructive").read_bytes()
    books.vault.sealed = False
    assert await books.look() is not None
