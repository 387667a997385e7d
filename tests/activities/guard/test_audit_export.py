"""An export that somebody touched: what is changed, left out, moved, cut or forged, the public key alone shows."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from activities.guard.audit import GENESIS, AuditRecord, Head, parse_record
from activities.guard.audit_checkpoint import Checkpoint, CheckpointError, SignedCheckpoint
from activities.guard.audit_export import Export, ExportError, read_export
from tests.activities.guard.collecting import Books, Vault, event


@pytest_asyncio.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """Two checkpoints over eight events of one process and two of another, and two events behind them."""
    made = Books(tmp_path)
    made.write("destructive", "a", "b")
    made.write("connectors", "c")
    await made.look()
    made.write("destructive", "d", "e")
    await made.look()
    made.write("destructive", "f")
    made.collector.collect()
    yield made
    made.close()


def rewritten(lines: list[bytes], since: int, change: Callable[[AuditRecord], AuditRecord]) -> list[bytes]:
    """A chain written anew from one event on, by somebody who knows how: every hash is right."""
    records = [found for line in lines if (found := parse_record(line)) is not None]
    head = Head(seq=0, hash=GENESIS)
    made: list[bytes] = []
    for record in records:
        new = change(record) if record.seq == since else record
        new = new.model_copy(update={"seq": head.seq + 1, "prev": head.hash, "hash": ""}).sealed()
        made.append(new.line().removesuffix(b"\n"))
        head = Head(seq=new.seq, hash=new.hash)
    return made


def exonerated(record: AuditRecord) -> AuditRecord:
    return record.model_copy(update={"action": "github.read_file"})


async def test_what_nobody_touched_is_whole(books: Books) -> None:
    report = books.verified()
    assert (report.problems, report.ok) == ([], True)
    assert (report.events, report.checkpoints) == (12, 2)
    assert report.signed == {"connectors": 2, "destructive": 8}
    assert report.unsigned == {"connectors": 0, "destructive": 2}
    assert report.open_steps == []


def _changed(export: Export) -> None:
    lines = export.chains["destructive"]
    lines[2] = lines[2].replace(b"delete/b", b"delete/x")


def _missing(export: Export) -> None:
    del export.chains["destructive"][3]


def _moved(export: Export) -> None:
    lines = export.chains["destructive"]
    lines[2], lines[4] = lines[4], lines[2]


def _inserted(export: Export) -> None:
    lines = export.chains["destructive"]
    lines.insert(2, lines[1])


def _cut_at_the_front(export: Export) -> None:
    del export.chains["destructive"][:2]


def _cut(export: Export) -> None:
    del export.chains["destructive"][6:]


def _without_a_process(export: Export) -> None:
    del export.chains["connectors"]


def _anew(export: Export) -> None:
    export.chains["destructive"] = rewritten(export.chains["destructive"], 3, exonerated)


def _anew_and_shorter(export: Export) -> None:
    """As if the second step had never been."""
    lines = export.chains["destructive"]
    export.chains["destructive"] = rewritten(lines[:2] + lines[4:], 0, exonerated)


def _checkpoint_dropped(export: Export) -> None:
    del export.checkpoints[0]


def _checkpoints_moved(export: Export) -> None:
    export.checkpoints.reverse()


def _checkpoint_forged(export: Export) -> None:
    """Over a chain written anew, by somebody who has a key of their own."""
    _anew(export)
    last = parse_record(export.chains["destructive"][7])
    assert last is not None
    told = export.checkpoints[1].read()
    chains = told.chains | {"destructive": told.chains["destructive"].model_copy(update={"hash": last.hash})}
    text = told.model_copy(update={"chains": chains}).text()
    export.checkpoints[1] = export.checkpoints[1].model_copy(update={"text": text})


def _signed_with_another_version(export: Export) -> None:
    export.checkpoints[0] = export.checkpoints[0].model_copy(update={"key_version": 7})


ATTACKS: list[tuple[Callable[[Export], None], str]] = [
    (_changed, "destructive, line 3: no whole record: edited"),
    (_missing, "destructive, line 4: event 5 does not follow event 3"),
    (_moved, "destructive, line 3: event 5 does not follow event 2"),
    (_inserted, "destructive, line 3: event 2 does not follow event 2"),
    (_cut_at_the_front, "destructive, line 1: event 3 does not follow event 0: cut at the front"),
    (_cut, "destructive, events 7 to 8 are missing: they were there at"),
    (_without_a_process, "connectors, events 1 to 2 are missing"),
    (_anew, "destructive, event 4 is another one than the one signed at"),
    (_anew_and_shorter, "destructive, event 4 is another one than the one signed at"),
    (_checkpoint_dropped, "checkpoint 1: it is checkpoint 2, and does not follow"),
    (_checkpoints_moved, "checkpoint 1: it is checkpoint 2, and does not follow"),
    (_checkpoint_forged, "destructive, event 4 is another one than the one signed"),
    (_signed_with_another_version, "checkpoint 1: it is signed with version 7 of the key, which was not given"),
]


@pytest.mark.parametrize(("attack", "first"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
async def test_the_first_broken_entry_is_named(books: Books, attack: Callable[[Export], None], first: str) -> None:
    export = books.exported()
    attack(export)
    report = books.verified(export)
    assert not report.ok
    assert report.problems[0].startswith(first)


async def test_a_forged_checkpoint_is_named_too(books: Books) -> None:
    export = books.exported()
    _checkpoint_forged(export)
    assert "checkpoint 2: it is not signed with this key: forged or changed" in books.verified(export).problems


async def test_a_whole_world_of_somebodys_own_is_not_signed_with_our_key(books: Books, tmp_path: Path) -> None:
    others = Books(tmp_path / "other")
    others.write("destructive", "x")
    await others.look()
    assert others.verified().ok
    report = books.verified(others.exported())
    assert report.problems == ["checkpoint 1: it is not signed with this key: forged or changed"]
    others.close()


async def test_an_end_that_was_cut_with_its_checkpoints_shows_by_one_from_elsewhere(books: Books) -> None:
    export = books.exported()
    newest = export.checkpoints[-1]
    _cut(export)
    del export.checkpoints[-1]
    del export.chains["destructive"][4:]
    assert books.verified(export).ok  # alone, nobody can tell
    told = books.verified(export, newest=newest).problems
    assert len(told) == 1
    assert told[0].startswith("checkpoint 2, which is known from elsewhere, is not in this export: its end was cut")
    assert books.verified(newest=newest).ok


async def test_a_checkpoint_from_elsewhere_must_be_signed_too(books: Books) -> None:
    forged = books.exported().checkpoints[-1].model_copy(update={"signature": "AAAA"})
    assert "from elsewhere: it is not signed" in books.verified(newest=forged).problems[0]


async def test_a_step_that_ended_without_its_receipt_from_before_is_told(books: Books) -> None:
    books.logs["destructive"].append(event("finished", "never-allowed"))
    await books.look()
    assert books.verified().problems == [
        "destructive, event 11 is the end of 'github.delete_branch', of which nobody wrote that it was allowed"
    ]


async def test_what_began_and_has_no_end_is_listed_and_nothing_broken(books: Books) -> None:
    books.logs["destructive"].append(event("allowed", "under-way"))
    await books.look()
    report = books.verified()
    assert report.ok
    assert report.open_steps == ["destructive, event 11: github.delete_branch of delete/under-way"]


async def test_a_torn_line_is_exported_as_it_is_and_breaks_nothing(books: Books) -> None:
    with books.file("connectors").open("ab") as file:
        file.write(b'{"torn": "\xc3')
    books.write("connectors", "after")
    await books.look()
    report = books.verified()
    assert (report.problems, report.events) == ([], 14)
    assert '"bytes"' in books.export().read_text()


async def test_a_rotated_key_verifies_what_it_signed_before(books: Books) -> None:
    books.vault.keys[2] = Vault().keys[1]
    await books.look()
    assert [one.key_version for one in books.exported().checkpoints] == [1, 1, 2]
    assert books.verified().ok


@pytest.mark.parametrize(
    "text",
    ["", "{}", "no json", '{"export": "other/v1"}', '{"export": "banksman-audit-export/v1"}\n{"role": "x"}\n[]'],
)
def test_what_is_no_export_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export"
    path.write_text(text)
    with pytest.raises(ExportError, match="export"):
        read_export(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + " ",
        lambda text: text.replace("v1", "v2"),
        lambda text: text.replace('"seq":1', '"seq":true'),
    ],
)
def test_a_checkpoint_is_read_strictly(change: Callable[[str], str]) -> None:
    told = Checkpoint(environment="live", seq=1, prev=GENESIS, time="2026", chains={})
    SignedCheckpoint(text=told.text(), signature="AAAA", key_version=1).read()
    with pytest.raises(CheckpointError):
        SignedCheckpoint(text=change(told.text()), signature="AAAA", key_version=1).read()


async def test_no_word_of_a_checkpoint_is_another_texts(books: Books) -> None:
    """Its first line is its own: the key signs nothing else, and nothing else begins so."""
    assert all(one.text.startswith("banksman-audit-checkpoint/v1\n") for one in books.exported().checkpoints)
    assert json.loads(books.export().read_text().splitlines()[0])["export"] == "banksman-audit-export/v1"
