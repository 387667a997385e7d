"""The artifact store on a folder: the same bytes, the same name, and nothing but those bytes back."""

import asyncio
import hashlib
import os
from datetime import date
from pathlib import Path

import pytest

from connectors.artifacts import ArtifactStore, DatedStore
from connectors.errors import InvalidRequest, NotFound, Unavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def store(folder: Path) -> ArtifactStore:
    return ArtifactStore(str(folder))


@pytest.mark.parametrize("content", [b"", b"text", bytes(range(256)), b"x" * 3_000_000])
async def test_what_was_put_comes_back(store: ArtifactStore, content: bytes) -> None:
    reference = await store.put(content)
    assert reference == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert await store.get(reference) == content


async def test_the_same_bytes_have_one_name_and_lie_there_once(store: ArtifactStore, folder: Path) -> None:
    references = await asyncio.gather(*(store.put(b"same") for _ in range(8)))
    assert len(set(references)) == 1
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1
    assert await store.put(b"other") not in references


async def test_another_process_finds_it(store: ArtifactStore, folder: Path) -> None:
    reference = await store.put(b"kept")
    assert await ArtifactStore(str(folder)).get(reference) == b"kept"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "README.md",
        "sha256:",
        "sha256:abc",
        f"sha256:{'A' * 64}",
        f"sha256:{'0' * 64}\n",
        f"sha1:{'0' * 64}",
        "../x",
    ],
)
async def test_a_bad_reference_is_named_and_explained(store: ArtifactStore, reference: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await store.get(reference)
    assert str(refused.value) == f"{reference!r} is not an artifact; one looks like sha256:<64 hexadecimal digits>"


async def test_a_missing_artifact_is_not_found(store: ArtifactStore, folder: Path) -> None:
    reference = f"sha256:{'0' * 64}"
    with pytest.raises(NotFound) as refused:
        await store.get(reference)
    assert str(refused.value) == f"the artifact store {str(folder)!r} does not hold {reference!r}"


async def test_tampered_content_is_refused(store: ArtifactStore, folder: Path) -> None:
    reference = await store.put(b"plan: change nothing")
    digest = reference.removeprefix("sha256:")
    (folder / digest[:2] / digest).write_bytes(b"plan: delete all")
    with pytest.raises(Unavailable, match="holds other bytes under"):
        await store.get(reference)


async def test_a_folder_that_cannot_be_written_says_so(store: ArtifactStore, folder: Path) -> None:
    # A file where the folder was: root ignores permissions, and tests may run as root.
    folder.rmdir()
    folder.write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be written") as refused:
        await store.put(b"x")
    assert repr(str(folder)) in str(refused.value)
    with pytest.raises(Unavailable, match="cannot be read"):
        await store.get(f"sha256:{'0' * 64}")


async def test_what_is_deleted_is_gone_and_nothing_else(store: ArtifactStore) -> None:
    reference, other = await store.put(b"one"), await store.put(b"other")
    written = await store.written_at(reference)
    assert written is not None
    assert written.tzinfo is not None
    await store.delete(reference)
    await store.delete(reference)
    assert (await store.written_at(reference), await store.get(other)) == (None, b"other")
    for wrong in (store.delete, store.written_at):
        with pytest.raises(InvalidRequest, match="is not an artifact"):
            await wrong("../x")


async def test_putting_the_same_bytes_again_is_seen_by_when_they_were_written(
    store: ArtifactStore, folder: Path
) -> None:
    reference = await store.put(b"same")
    digest = reference.removeprefix("sha256:")
    os.utime(folder / digest[:2] / digest, (1, 1))
    before = await store.written_at(reference)
    await store.put(b"same")
    after = await store.written_at(reference)
    assert before is not None
    assert after is not None
    assert before.year == 1970 < after.year


async def test_of_what_is_kept_until_a_day_one_can_go_before(folder: Path) -> None:
    store, until = DatedStore(str(folder), "transcripts"), date(2030, 1, 31)
    one, other = await store.put(b"one", until), await store.put(b"other", until)
    await store.delete(one, until)
    await store.delete(one, until)
    assert (await store.holds(one, until), await store.holds(other, until)) == (False, True)
    assert not await store.holds(other, date(2030, 2, 1)), "under another day it is another"
