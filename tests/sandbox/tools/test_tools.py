"""The tools at work in one real container, on a repository that means no good; each test has files of its own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    LIST_FILES,
    MOST_CONTENT,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    Replacement,
)
from sandbox.tools.rules import SessionRules
from tests.sandbox.tools.working import Work

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def own(work: Work) -> AsyncIterator[str]:
    """A session of one test alone, which runs what spoils it."""
    opened = await work.open()
    yield opened
    await work.ask(CLOSE_SESSION, opened)


async def test_a_folder_is_listed_as_deep_as_asked_and_without_gits_own(work: Work, session: str) -> None:
    top = await work.ask(LIST_FILES, session)
    kinds = {one.path: one.kind for one in top.entries}
    assert (kinds["README.md"], kinds["src"], kinds["out"], kinds[".github"]) == ("file", "folder", "link", "folder")
    assert ".git" not in kinds
    assert "odd\\u202ename.txt" in kinds
    deep = await work.ask(LIST_FILES, session, path=".github", depth=3)
    assert [one.path for one in deep.entries] == [
        ".github/workflows", ".github/workflows/ci.yml"
    ]  # fmt: skip
    few = await work.ask(LIST_FILES, session, most=2)
    assert (len(few.entries), few.more) == (2, True)


async def test_a_text_is_read_by_its_lines(work: Work, session: str) -> None:
    read = await work.ask(READ_TEXT, session, path="README.md")
    assert (read.text, read.lines, read.following, read.size) == ("# Shop\n\nBuy things.\n", 3, None, 20)
    part = await work.ask(READ_TEXT, session, path="README.md", first=2, lines=1)
    assert (part.text, part.following, part.sha256) == ("\n", 3, read.sha256)
    beyond = await work.ask(READ_TEXT, session, path="README.md", first=9)
    assert (beyond.text, beyond.following, beyond.refused) == ("", None, None)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("out/passwd", "'out' cannot be entered: it is a link, and links are not followed"),
        ("out", "'out' is a link"),
        ("environ", "'environ' is a link"),
        ("src", "'src' is a folder"),
        ("gone.md", "there is no file 'gone.md'"),
        ("gone/a.md", "there is no such folder"),
        ("bytes.bin", "'bytes.bin' is no text"),
        ("wide.txt", "line 1 of 'wide.txt' alone is longer than 65536 bytes"),
        ("/proc/self/environ", "is not a file's path from the root of the repository"),
        ("../given", "is not a file's path from the root of the repository"),
        ("README.md\n", "is not a file's path from the root of the repository"),
        (".git/config", "git's own folder is not touched"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_reason(work: Work, session: str, path: str, reason: str) -> None:
    read = await work.ask(READ_TEXT, session, path=path)
    assert read.refused is not None
    assert reason in read.refused
    assert (read.text, read.lost) == ("", False)
    assert (await work.ask(WRITE_FILE, session, path="out/passwd", content="mine")).refused is not None


async def test_lines_are_found_by_pattern_and_place(work: Work, session: str) -> None:
    found = await work.ask(SEARCH_FILES, session, pattern="def +total|Buy")
    assert [(one.path, one.line, one.text) for one in found.hits] == [
        ("README.md", 3, "Buy things."), ("src/basket.py", 1, "def total(prices):")
    ]  # fmt: skip
    there = await work.ask(SEARCH_FILES, session, pattern="TOTAL(", fixed=True, any_case=True, paths=("src/*.py",))
    assert {one.path for one in there.hits} == {"src/basket.py", "src/test_basket.py"}
    assert (await work.ask(SEARCH_FILES, session, pattern="root:")).hits == ()
    few = await work.ask(SEARCH_FILES, session, pattern=".", most=1)
    assert (len(few.hits), few.more) == (1, True)
    wide = await work.ask(SEARCH_FILES, session, pattern="www", paths=("wide.txt",))
    assert wide.hits[0].text.endswith("w…")
    broken = await work.ask(SEARCH_FILES, session, pattern="(")
    assert broken.refused is not None
    assert "the search does not work" in broken.refused
    outside = await work.ask(SEARCH_FILES, session, pattern="root", paths=("../../etc/*",))
    assert outside.refused is not None


async def test_a_file_is_created_changed_by_pieces_and_deleted(work: Work, session: str) -> None:
    made = await work.ask(WRITE_FILE, session, path="notes/new/a.md", content="one\ntwo\n", expects="")
    assert (made.made, made.size) == ("created", 8)
    pieces = [Replacement(old="one", new="1").model_dump(), Replacement(old="two\n", new="").model_dump()]
    changed = await work.ask(WRITE_FILE, session, path="notes/new/a.md", replace=pieces, expects=made.sha256)
    assert (changed.made, changed.size) == ("changed", 2)
    stale = await work.ask(WRITE_FILE, session, path="notes/new/a.md", content="x", expects=made.sha256)
    assert stale.refused == "'notes/new/a.md' is not as it was read: read it again"
    assert (await work.ask(READ_TEXT, session, path="notes/new/a.md")).text == "1\n"
    assert (await work.ask(WRITE_FILE, session, path="notes/new/a.md", delete=True)).made == "deleted"
    again = await work.ask(WRITE_FILE, session, path="notes/new/a.md", delete=True)
    assert again.refused == "there is no file 'notes/new/a.md'"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"path": "out/x", "content": "x"}, "it is a link, and links are not followed"),
        ({"path": "environ", "content": "x"}, "'environ' is a link, and only files are written"),
        ({"path": "src", "content": "x"}, "'src' is a folder, and only files are written"),
        ({"path": "README.md/x", "content": "x"}, "it is no folder"),
        ({"path": ".github/workflows/ci.yml", "content": "x"}, "is protected (.github/**)"),
        ({"path": "/proc/self/environ", "content": "x"}, "is not a file's path"),
        ({"path": "a\0b", "content": "x"}, "is not a file's path"),
        ({"path": "big.txt", "content": "x" * (MOST_CONTENT + 1)}, "bytes are more than"),
        ({"path": "README.md", "replace": [{"old": "h", "new": "x"}]}, "is 2 times in 'README.md'"),
        ({"path": "README.md", "replace": [{"old": "Sell", "new": "x"}]}, "is not in 'README.md'"),
        ({"path": "no/where.md", "replace": [{"old": "a", "new": "x"}]}, "there is no such folder"),
    ],
)
async def test_what_cannot_be_written_is_refused_and_nothing_has_changed(
    work: Work, session: str, asked: dict[str, Any], reason: str
) -> None:
    written = await work.ask(WRITE_FILE, session, **asked)
    assert written.refused is not None
    assert reason in written.refused
    assert (await work.ask(READ_TEXT, session, path="README.md")).text == "# Shop\n\nBuy things.\n"


async def test_a_command_of_the_list_runs_and_any_other_is_told_the_list(work: Work, session: str) -> None:
    ran = await work.ask(RUN_PROGRAM, session, command=("python3", "-m", "unittest", "discover", "-s", "src"))
    assert (ran.exit_code, ran.ended, ran.refused) == (0, "exit", None)
    assert "Ran 1 test" in ran.stderr
    for command in (("sh", "-c", "id"), ("python3", "-c", "1"), ("true", "-x"), ("sleep", "--help")):
        refused = await work.ask(RUN_PROGRAM, session, command=command)
        assert refused.refused is not None
        assert "is not on the list of commands: python3 play.py *; " in refused.refused
        assert refused.exit_code is None


async def test_an_output_is_cut_with_a_mark_and_a_time_is_kept(work: Work, session: str) -> None:
    printed = await work.ask(RUN_PROGRAM, session, command=("python3", "play.py", "print"))
    assert printed.truncated
    assert "bytes left out" in printed.stdout
    assert len(printed.stdout) < 5000
    slept = await work.ask(RUN_PROGRAM, session, command=("sleep", "1000"), seconds=1)
    assert slept.ended == "timeout"
    assert (await work.ask(RUN_PROGRAM, session, command=("true",))).exit_code == 0


async def test_nothing_of_a_command_is_alive_in_the_next_call(work: Work, session: str) -> None:
    await work.ask(RUN_PROGRAM, session, command=("python3", "play.py", "stay"))
    owned = await work.ask(RUN_PROGRAM, session, command=("python3", "play.py", "owned"))
    assert owned.exit_code == 0
    environment = owned.stdout.partition(" ")[2].strip()
    assert environment.startswith("['BANKSMAN_SECRETS', 'BANKSMAN_TELEMETRY', 'HOME', 'LANG'")
    names = environment.strip("[]").replace("'", "").split(", ")
    assert set(names) <= {
        *("BANKSMAN_SECRETS", "BANKSMAN_TELEMETRY", "HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR", "TRACEPARENT")
    }


async def test_the_change_is_kept_as_git_has_it_file_by_file(work: Work, own: str) -> None:
    await work.ask(WRITE_FILE, own, path="src/basket.py", replace=[{"old": "sum(prices)", "new": "sum(prices, 0)"}])
    await work.ask(WRITE_FILE, own, path="run.sh", content="true\n", executable=True)
    await work.ask(WRITE_FILE, own, path="README.md", delete=True)
    await work.ask(WRITE_FILE, own, path="ignored/a.txt", content="x")
    kept = await work.ask(KEEP_CHANGES, own)
    assert [(one.path, one.change, one.executable, one.added, one.removed) for one in kept.files] == [
        ("README.md", "deleted", False, 0, 3),
        ("run.sh", "added", True, 1, 0),
        ("src/basket.py", "changed", False, 1, 1),
    ]
    assert kept.left_out == ()
    assert kept.patch is not None
    patch = (await work.store.get(kept.patch)).decode()
    assert "+    return sum(prices, 0)\n" in patch
    assert (kept.head, kept.patch_size) == (patch, len(patch))
    assert "new file mode 100755" in patch
    assert kept.files[0].content is None
    assert kept.files[2].content is not None
    assert (await work.store.get(kept.files[2].content)).endswith(b"sum(prices, 0)\n")


async def test_without_a_change_nothing_is_kept(work: Work, own: str) -> None:
    kept = await work.ask(KEEP_CHANGES, own)
    assert (kept.files, kept.patch, kept.left_out, kept.refused) == ((), None, (), None)


async def test_what_a_command_wrote_where_no_tool_may_does_not_leave_the_session(work: Work, own: str) -> None:
    assert (await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", "ci"))).exit_code == 0
    kept = await work.ask(KEEP_CHANGES, own)
    assert [one.path for one in kept.files] == ["built.txt"]
    assert kept.left_out == (
        "'.github/workflows/ci.yml' is protected (.github/**): the deployment lets no tool write it",
        "'passwd' is a link",
    )
    assert kept.patch is not None
    assert b"ci.yml" not in await work.store.get(kept.patch)


async def test_a_session_that_may_write_little_keeps_little(work: Work) -> None:
    narrow = await work.open(SessionRules(write=("docs/**",), run=(("python3", "play.py", "*"),)))
    refused = await work.ask(WRITE_FILE, narrow, path="src/basket.py", content="x")
    assert refused.refused == "'src/basket.py' may not be written; allowed is docs/**"
    assert (await work.ask(WRITE_FILE, narrow, path="docs/a.md", content="x\n")).made == "created"
    assert (await work.ask(RUN_PROGRAM, narrow, command=("true",))).refused is not None
    await work.ask(RUN_PROGRAM, narrow, command=("python3", "play.py", "ci"))
    kept = await work.ask(KEEP_CHANGES, narrow)
    assert [one.path for one in kept.files] == ["docs/a.md"]
    assert len(kept.left_out) == 3


async def test_no_link_that_a_command_made_leads_a_tool_anywhere(work: Work, own: str) -> None:
    assert (await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", "link"))).exit_code == 0
    assert (await work.ask(WRITE_FILE, own, path="harmless.md", content="on: mine\n")).made == "changed"
    through = [await work.ask(WRITE_FILE, own, path=path, content="x") for path in ("etc/passwd", "flows/ci.yml")]
    assert all(one.refused is not None and "links are not followed" in one.refused for one in through)
    # A hard link is another name of the same file: written through it would have been the workflow of the CI.
    assert (await work.ask(READ_TEXT, own, path=".github/workflows/ci.yml")).text == "on: push\n"
    kept = await work.ask(KEEP_CHANGES, own)
    assert [one.path for one in kept.files] == ["harmless.md"]


@pytest.mark.parametrize(("what", "protected"), [("swap", "README.md/yarn.lock"), ("unswap", "locked/a.lock")])
async def test_a_file_in_the_place_of_a_folder_takes_nothing_protected_with_it(
    work: Work, own: str, what: str, protected: str
) -> None:
    assert (await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", what))).exit_code == 0
    kept = await work.ask(KEEP_CHANGES, own)
    assert (kept.files, kept.patch) == ((), None)
    assert kept.refused == f"{protected!r} may not be changed, and goes with what may: leave both"


async def test_a_tree_that_was_taken_away_is_not_looked_for_elsewhere(work: Work, own: str) -> None:
    assert (await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", "tree"))).exit_code == 0
    answers = [
        await work.ask(LIST_FILES, own),
        await work.ask(READ_TEXT, own, path="dist-packages/a"),
        await work.ask(SEARCH_FILES, own, pattern="import"),
        await work.ask(WRITE_FILE, own, path="a", content="x"),
        await work.ask(KEEP_CHANGES, own),
    ]
    assert all(one.refused is not None and not one.lost for one in answers)


async def test_a_spoilt_folder_of_gits_changes_nothing_of_what_is_kept(work: Work, own: str) -> None:
    assert (await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", "git"))).exit_code == 0
    await work.ask(WRITE_FILE, own, path="a.md", content="x\n")
    kept = await work.ask(KEEP_CHANGES, own)
    assert [(one.path, one.change) for one in kept.files] == [("a.md", "added")]
    assert "+x\n" in kept.head
    owned = await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", "owned"))
    assert owned.stdout.startswith("False")


async def test_a_full_disk_is_a_refusal_and_leaves_the_file_as_it_was(work: Work, own: str) -> None:
    filled = await work.ask(RUN_PROGRAM, own, command=("python3", "play.py", "fill"))
    assert (filled.exit_code, "No space left" in filled.stderr) == (1, True)
    written = await work.ask(WRITE_FILE, own, path="README.md", content="x" * 200_000)
    assert written.refused is not None
    read = await work.ask(READ_TEXT, own, path="README.md")
    assert read.text == "# Shop\n\nBuy things.\n" or read.lost
