"""Secrets, concurrency and cancellation."""

import asyncio

import pytest
from pydantic import SecretBytes

from sandbox.docker.container import SandboxOptions
from sandbox.errors import ImageMissing, SpecRefused
from sandbox.protocol import OnOutput
from sandbox.spec import Limits
from tests.sandbox.running import Left, Run

pytestmark = pytest.mark.docker


async def test_a_secret_is_a_closed_file_for_one_command(run: Run) -> None:
    result = await run(
        "sh", "-c", "stat -c '%a %U' /run/secrets/token; cat $BANKSMAN_SECRETS/token; stat -f -c %T /run/secrets",
        secrets={"token": SecretBytes(b"canary-secret\n")},
    )  # fmt: skip
    assert result.stdout.text == "400 run\ncanary-secret\ntmpfs\n"


async def test_a_secret_may_be_binary_and_lie_deeper(run: Run) -> None:
    content = bytes(range(256))
    result = await run("cat", "/run/secrets/a/b", secrets={"a/b": SecretBytes(content)})
    assert result.stdout.head == content


@pytest.mark.parametrize("name", ["../etc/x", "/abs", "a//b", "", ".", "x\0y"])
async def test_a_secret_with_a_path_that_leads_elsewhere_is_refused(run: Run, name: str) -> None:
    with pytest.raises(SpecRefused, match="no name for a secret"):
        await run("true", secrets={name: SecretBytes(b"x")})


async def test_secrets_too_large_are_refused(run: Run) -> None:
    with pytest.raises(SpecRefused, match="larger"):
        await run("true", secrets={"x": SecretBytes(b"x" * 600_000)})


async def test_an_image_that_is_not_there_is_an_error(run: Run) -> None:
    with pytest.raises(ImageMissing):
        await run("true", image="sha256:" + "0" * 64)


async def test_an_unknown_purpose_is_refused(run: Run) -> None:
    with pytest.raises(SpecRefused, match="'everything' does not exist"):
        await run("true", purpose="everything")


async def test_concurrent_runs_do_not_meet(run: Run) -> None:
    async def one(number: int) -> str:
        command = f"echo {number} > /tmp/mine; sleep 0.2; cat /tmp/mine /run/secrets/n; ls /tmp | wc -l"
        result = await run("sh", "-c", command, secrets={"n": SecretBytes(b"%d\n" % number)})
        return result.stdout.text

    outputs = await asyncio.gather(*(one(number) for number in range(10)))
    assert outputs == [f"{number}\n{number}\n1\n" for number in range(10)]


async def test_cancelling_a_running_command_ends_it_before_the_call_returns(run: Run, left: Left) -> None:
    began = asyncio.Event()
    task = asyncio.create_task(
        run("sh", "-c", "trap '' TERM INT; echo on; sleep 100", on_output=lambda _stream, _data: began.set())
    )
    await asyncio.wait_for(began.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await left() == []


def _setter(event: asyncio.Event) -> OnOutput:
    return lambda _stream, _data: event.set()


async def test_cancelling_a_queued_run_starts_nothing(run: Run, options: SandboxOptions) -> None:
    began = [asyncio.Event() for _ in range(options.concurrency)]
    running = [asyncio.create_task(run("sh", "-c", "echo on; sleep 100", on_output=_setter(event))) for event in began]
    await asyncio.gather(*(asyncio.wait_for(event.wait(), 30) for event in began))
    queued = asyncio.create_task(run("true"))
    await asyncio.sleep(0)
    for task in (queued, *running):
        task.cancel()
    ends = await asyncio.gather(queued, *running, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    assert (await run("true")).exit_code == 0


async def test_a_callback_that_fails_ends_the_run(run: Run, left: Left) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the log is gone")

    with pytest.raises(RuntimeError, match="the log is gone"):
        await run("sh", "-c", "echo on; sleep 100", on_output=broken)
    assert await left() == []


async def test_timings_are_told(run: Run) -> None:
    result = await run("sleep", "0.5", limits=Limits(wall_seconds=9))
    usage = result.usage
    assert 0.5 <= usage.run_seconds < 2
    assert usage.start_seconds > 0
    assert usage.total_seconds >= usage.start_seconds + usage.run_seconds - 0.1
