"""Collecting audit files: what came is copied and signed, and what does not follow is told and left out."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

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


async def test_a_sealed_vault_costs_no_line_and_is_signed_later(books: Books) -> None:
    books.write("destructive", "a")
    books.vault.sealed = True
    with pytest.raises(Unavailable):
        await books.look()
    assert books.copy("destructive").read_bytes() == books.file("destructive").read_bytes()
    books.vault.sealed = False
    assert await books.look() is not None
