"""`banksman audit`: verifying folders and exports, and exporting, as people call it."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from activities.guard.approval_facts import ApprovalFacts, DecidedBy
from tests.activities.guard.collecting import Books, event
from workers.cli import app


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["audit", *args])


def words(result: Result) -> str:
    return " ".join((result.output + (result.stderr if result.stderr_bytes else "")).split())


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def key(books: Books, tmp_path: Path) -> Path:
    """As Vault prints it, of books with one checkpoint."""
    books.write("destructive", "a", "b")
    await books.look()
    told = json.loads((books.into / "key.json").read_text())
    path = tmp_path / "vault.json"
    path.write_text(json.dumps({"data": {"keys": {version: {"public_key": one} for version, one in told.items()}}}))
    return path


@pytest.fixture
def export(books: Books, key: Path, tmp_path: Path) -> Path:
    assert key.exists()
    path = tmp_path / "export.jsonl"
    done = run("export", str(path), "--from", str(books.into))
    assert done.exit_code == 0, done.output
    return path


async def test_an_export_is_verified_by_itself_and_the_public_key(export: Path, key: Path) -> None:
    done = run("verify", str(export), "--key", str(key))
    assert done.exit_code == 0, done.output
    assert "4 events, 1 signed checkpoints" in done.output
    assert "destructive: signed up to event 4" in done.output


async def test_the_key_beside_the_checkpoints_is_taken_too(export: Path, books: Books) -> None:
    assert run("verify", str(export), "--key", str(books.into / "key.json")).exit_code == 0


async def test_the_key_is_written_out_where_there_is_one(books: Books, key: Path, tmp_path: Path) -> None:
    assert key.exists()
    target = tmp_path / "key.json"
    assert run("key", str(target), "--from", str(books.into)).exit_code == 0
    assert target.read_bytes() == (books.into / "key.json").read_bytes()
    assert "no key can be had" in words(run("key", str(target), "--from", str(tmp_path / "nothing")))


async def test_the_first_broken_entry_is_named_and_the_command_fails(export: Path, key: Path) -> None:
    export.write_text(export.read_text().replace("delete/a", "delete/x", 1))
    done = run("verify", str(export), "--key", str(key))
    assert done.exit_code == 1
    assert "first broken: destructive, line 1: no whole record" in words(done)


async def test_a_cut_end_shows_by_a_checkpoint_from_the_log_store(
    export: Path, key: Path, books: Books, tmp_path: Path
) -> None:
    books.write("destructive", "c")
    signed = await books.look()
    assert signed is not None
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(signed.model_dump() | {"event": "checkpoint", "level": "info"}))
    assert run("verify", str(export), "--key", str(key)).exit_code == 0
    done = run("verify", str(export), "--key", str(key), "--newest", str(kept))
    assert done.exit_code == 1
    assert "checkpoint 2, which is known from elsewhere, is not in this export" in words(done)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"1": "AAAA"}', '{"data": {"keys": {"one": "AAAA"}}}'])
async def test_a_file_without_keys_is_said_to_be_one(export: Path, tmp_path: Path, content: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    done = run("verify", str(export), "--key", str(bad))
    assert done.exit_code == 2
    assert "holds no public keys" in words(done)


async def test_without_a_key_the_way_to_it_is_told(export: Path) -> None:
    done = run("verify", str(export))
    assert done.exit_code == 2
    assert "transit/keys/audit" in words(done)


async def test_what_is_no_export_and_what_nobody_collected_is_said(tmp_path: Path, key: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.write_text("x\n")
    assert "no line of an export" in words(run("verify", str(nothing), "--key", str(key)))
    assert "collected nothing" in words(run("export", str(tmp_path / "x"), "--from", str(tmp_path)))


class Tags(HTMLParser):
    """The tags of a page that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.found |= {f"{tag}@{name}" for name, _ in attrs if name in {"src", "href", "style"} or name[:2] == "on"}


async def test_the_report_tells_who_approved_what_and_how_it_ended(books: Books, key: Path, tmp_path: Path) -> None:
    facts = ApprovalFacts(
        id="approval/1",
        digest="sha256:plan",
        requester="slack:U0ERIN",
        rule="sha256:rule",
        decisions=(DecidedBy(person="alice", verdict="approve", surface="slack"),),
    )
    hostile = "<script>alert(1)</script>\u202e"
    begun = event(step=hostile, approval=facts, request="sha256:asked", policy="sha256:file", rule="rules[0] (line 3)")
    books.logs["destructive"].append(begun)
    books.logs["destructive"].append(event("finished", hostile, answer="sha256:answered", way="partially_applied"))
    books.logs["destructive"].append(event("denied", "c", reason="no_grant"))
    await books.look()
    target = tmp_path / "report.html"
    done = run("export", str(target), "--format", "html", "--from", str(books.into), "--key", str(key))
    assert done.exit_code == 0, done.output
    text = target.read_text()
    for said in ("alice: approve (slack)", "slack:U0ERIN", "sha256:plan", "sha256:rule", "sha256:asked", "sha256:file"):
        assert said in text
    assert "finished (partially applied)" in text
    assert "sha256:answered" in text
    assert "no_grant" in text
    assert "Yes: every chain is whole, and 2 signed checkpoints agree" in text
    tags = Tags()
    tags.feed(text)
    assert not tags.found & {"script", "img", "iframe", "link", "a"}
    assert not {one for one in tags.found if "@" in one}
    assert "\u202e" not in text


async def test_a_report_says_that_it_is_broken_or_was_not_checked(books: Books, key: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    run("export", str(target), "--format", "html", "--from", str(books.into))
    assert "Not checked: no public key was given" in target.read_text()
    copy = books.copy("destructive")
    copy.write_bytes(copy.read_bytes().replace(b"delete/a", b"delete/x"))
    run("export", str(target), "--format", "html", "--from", str(books.into), "--key", str(key))
    assert "No. The first broken entry: destructive, line 1" in target.read_text()


async def test_a_folder_is_verified_as_before(books: Books, key: Path) -> None:
    assert key.exists()
    done = run("verify", str(books.folder))
    assert done.exit_code == 0, done.output
    assert "destructive.jsonl: 4 events" in done.output
