"""The line of JSON between the command and a running environment."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.processes.control import Ask, Reply, ask, serve


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    yield folder / "control.sock"
    shutil.rmtree(folder)


async def answer(request: Ask) -> Reply:
    if request.op == "stop":
        raise RuntimeError("it will not stop")
    return Reply(ready=True, role_id=request.role)


async def raw(path: Path, line: bytes) -> Reply:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    writer.write_eof()
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return Reply.model_validate_json(said)


async def test_a_question_is_answered_and_only_the_owner_may_ask(path: Path) -> None:
    async with serve(path, answer):
        assert path.stat().st_mode & 0o777 == 0o600
        assert await ask(path, Ask(op="secret-id", role="goals")) == Reply(ready=True, role_id="goals")


async def test_no_stack_is_no_answer(path: Path) -> None:
    assert await ask(path, Ask(op="status")) is None
    async with serve(path, answer):
        pass
    assert await ask(path, Ask(op="status")) is None


async def test_a_dead_stacks_socket_is_no_answer_and_in_nobodys_way(path: Path) -> None:
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen()"
    process = await asyncio.create_subprocess_exec("python3", "-c", code)
    assert await process.wait() == 0
    assert path.exists()
    assert await ask(path, Ask(op="status")) is None
    async with serve(path, answer):
        assert await ask(path, Ask(op="status")) is not None


async def test_what_goes_wrong_is_told_and_the_stack_goes_on(path: Path) -> None:
    async with serve(path, answer):
        assert (await ask(path, Ask(op="stop"))) == Reply(ok=False, error="it will not stop")
        assert (await ask(path, Ask(op="status"))) == Reply(ready=True)


@pytest.mark.parametrize("line", [b"\n", b"", b"{}\n", b'{"op":"seal"}\n', b'{"op":"status","x":1}\n', b"\xff\xfe\n"])
async def test_nonsense_is_refused(path: Path, line: bytes) -> None:
    async with serve(path, answer):
        reply = await raw(path, line)
        assert (reply.ok, reply.error) == (False, "that is no request of the banksman command")
        assert await ask(path, Ask(op="status")) is not None


async def test_an_endless_line_does_the_stack_no_harm(path: Path) -> None:
    async with serve(path, answer):
        with contextlib.suppress(ConnectionError):  # it is cut off while we still write
            assert not (await raw(path, b"x" * (2 << 20))).ok
        assert await ask(path, Ask(op="status")) is not None


async def test_a_caller_that_hangs_up_does_the_stack_no_harm(path: Path) -> None:
    async with serve(path, answer):
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        await writer.wait_closed()
        assert await ask(path, Ask(op="status")) is not None
