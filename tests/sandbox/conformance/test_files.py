"""Files go in and artifacts come out, large and odd; nothing but plain files does."""

import hashlib
import io
import tarfile

import pytest

from connectors.artifacts import ArtifactStore
from sandbox.errors import SpecRefused
from sandbox.spec import MIB, Limits
from tests.sandbox.running import Run

pytestmark = pytest.mark.docker

ROOMY = Limits(memory_bytes=1024 * MIB, workspace_bytes=400 * MIB, artifact_bytes=200 * MIB, artifact_files=3000)
ODD = ["ünï→😀", "a b", "new\nline", "-rf", "*", "'\"$(id)", "x" * 200, "deep/" * 20 + "end", ".hidden"]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def test_a_large_file_goes_in_and_out_unchanged(run: Run, store: ArtifactStore) -> None:
    content = hashlib.shake_256(b"large").digest(64 * MIB)
    result = await run("cp", "in", "out", files=[{"path": "in", "content": content}], artifacts=["out"], limits=ROOMY)
    assert [(a.path, a.size, a.reference) for a in result.artifacts] == [("out", len(content), digest(content))]
    assert await store.get(result.artifacts[0].reference) == content


async def test_odd_names_go_in_and_out(run: Run, store: ArtifactStore) -> None:
    files = [{"path": f"in/{name}", "content": name.encode()} for name in ODD]
    result = await run("mv", "in", "out", files=files, artifacts=["out"])
    assert {a.path: await store.get(a.reference) for a in result.artifacts} == {
        f"out/{name}": name.encode() for name in ODD
    }


async def test_many_small_files(run: Run) -> None:
    files = [{"path": f"in/{n}", "content": b"%d" % n} for n in range(2000)]
    result = await run("sh", "-c", "ls in | wc -l", files=files, artifacts=["in"], limits=ROOMY)
    assert result.stdout.text.strip() == "2000"
    assert len(result.artifacts) == 2000


async def test_empty_binary_and_executable_files(run: Run) -> None:
    files = [
        {"path": "empty", "content": b""},
        {"path": "binary", "content": bytes(range(256))},
        {"path": "bin/tool", "content": b"#!/bin/sh\necho ran\n", "executable": True},
    ]
    result = await run("sh", "-c", "stat -c %s empty binary; ./bin/tool", files=files, artifacts=["bin/tool", "empty"])
    assert result.stdout.text == "0\n256\nran\n"
    assert [(a.path, a.executable) for a in result.artifacts] == [("bin/tool", True), ("empty", False)]


async def test_more_files_than_there_is_room_for_are_refused(run: Run) -> None:
    files = [{"path": str(n), "content": b""} for n in range(100)]
    with pytest.raises(SpecRefused, match="cannot be placed"):
        await run("true", files=files, limits=Limits(workspace_inodes=64))


async def test_an_artifact_is_the_input_of_another_run(run: Run) -> None:
    first = await run("sh", "-c", "echo made > made", artifacts=["made"])
    second = await run("cat", "got/it", inputs=[{"path": "got/it", "reference": first.artifacts[0].reference}])
    assert second.stdout.text == "made\n"


async def test_an_archive_is_unpacked_and_gone(run: Run) -> None:
    first = await run("sh", "-c", "mkdir t && echo x > t/f && chmod +x t/f && tar cf a.tar t", artifacts=["a.tar"])
    archive = {"path": "a.tar", "reference": first.artifacts[0].reference, "unpack_into": "into"}
    second = await run("sh", "-c", "test -x into/t/f && cat into/t/f && ls", inputs=[archive])
    assert second.stdout.text == "x\ninto\n"


@pytest.mark.parametrize("kind", ["parent", "through a link", "device"])
async def test_an_archive_that_leads_outside_is_refused(run: Run, store: ArtifactStore, kind: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("../../tmp/evil" if kind == "parent" else "evil")
        if kind == "through a link":
            link = tarfile.TarInfo("away")
            link.type, link.linkname = tarfile.SYMTYPE, "/tmp"  # noqa: S108 - in the container
            archive.addfile(link)
            entry.name = "away/evil"
        if kind == "device":
            entry.type, entry.devmajor, entry.devminor = tarfile.CHRTYPE, 1, 3
        archive.addfile(entry)
    archive_in = {"path": "a.tar", "reference": await store.put(packed.getvalue()), "unpack_into": "into"}
    with pytest.raises(SpecRefused, match="cannot be placed"):
        await run("true", inputs=[archive_in])


async def test_absolute_names_in_an_archive_land_below_the_folder(run: Run, store: ArtifactStore) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("/tmp/evil"))  # noqa: S108 - in the container
    archive_in = {"path": "a.tar", "reference": await store.put(packed.getvalue()), "unpack_into": "into"}
    result = await run("sh", "-c", "ls into/tmp; ls /tmp", inputs=[archive_in])
    assert result.stdout.text == "evil\n"


MAKE_REFUSED = """
import os, socket
os.symlink('/etc/passwd', 'link'); os.symlink('/etc', 'linked-folder'); os.symlink('..', 'up')
open('plain', 'w').write('x'); os.link('plain', 'hard')
os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')
with open('huge', 'wb') as f: f.truncate(1 << 45)
open('closed', 'w').close(); os.chmod('closed', 0)
os.makedirs('tree/below'); open('tree/below/good', 'w').write('good'); os.symlink('/run/secrets/key', 'tree/below/bad')
"""


async def test_everything_but_plain_files_is_refused_with_its_reason(run: Run) -> None:
    asked = ["link", "linked-folder/passwd", "up/etc/passwd", "hard", "plain", "fifo", "socket", "huge", "tree", "no"]
    result = await run("python3", "-c", MAKE_REFUSED, artifacts=asked)
    assert result.exit_code == 0, result.stderr.text
    assert {refused.path: refused.reason for refused in result.refused} == {
        "link": "link", "linked-folder/passwd": "link", "up/etc/passwd": "link", "hard": "link", "plain": "link",
        "fifo": "device", "socket": "device", "huge": "size", "tree/below/bad": "link", "no": "missing",
    }  # fmt: skip
    assert [artifact.path for artifact in result.artifacts] == ["tree/below/good"]


async def test_a_file_that_cannot_be_read_is_refused(run: Run) -> None:
    result = await run("sh", "-c", "echo x > f; chmod 0 f", artifacts=["f"])
    assert [(refused.path, refused.reason) for refused in result.refused] == [("f", "unreadable")]


async def test_artifacts_over_the_bytes_are_refused_and_the_rest_kept(run: Run) -> None:
    result = await run(
        "sh", "-c", "echo a > a; head -c 2000 /dev/zero > b; echo c > c",
        artifacts=["a", "b", "c"], limits=Limits(artifact_bytes=1000),
    )  # fmt: skip
    assert [artifact.path for artifact in result.artifacts] == ["a", "c"]
    assert [(refused.path, refused.reason) for refused in result.refused] == [("b", "size")]


async def test_too_many_artifacts_are_refused(run: Run) -> None:
    result = await run("sh", "-c", "mkdir d; touch d/1 d/2 d/3 d/4", artifacts=["d"], limits=Limits(artifact_files=3))
    assert len(result.artifacts) == 3
    assert [(refused.path, refused.reason) for refused in result.refused] == [("d", "size")]


async def test_artifacts_of_a_failed_command_are_kept(run: Run) -> None:
    result = await run("sh", "-c", "echo report > report; exit 1", artifacts=["report"])
    assert (result.exit_code, [artifact.path for artifact in result.artifacts]) == (1, ["report"])


async def test_artifacts_of_a_timeout_are_kept(run: Run) -> None:
    result = await run(
        "sh", "-c", "echo log > log; sleep 60",
        artifacts=["log"], limits=Limits(wall_seconds=0.5, grace_seconds=0),
    )  # fmt: skip
    assert (result.ended, [artifact.path for artifact in result.artifacts]) == ("timeout", ["log"])


async def test_a_run_sees_nothing_of_the_one_before(run: Run) -> None:
    await run("sh", "-c", "touch /tmp/left /workspace/left /dev/shm/left")
    result = await run("ls", "-A", "/tmp", "/workspace", "/dev/shm")  # noqa: S108 - in the container
    assert "left" not in result.stdout.text
