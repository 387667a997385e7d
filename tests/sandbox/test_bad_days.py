"""Cancelled, killed or refused in every phase: the error is the right one, and nothing is left."""

import asyncio
import gc
import itertools
import os
import signal
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, cast

import pytest
import requests
from docker.errors import APIError

from connectors.artifacts import ArtifactStore
from connectors.errors import Unavailable
from sandbox import first_process
from sandbox.docker import conversation
from sandbox.docker.collecting import Collector
from sandbox.docker.container import SandboxOptions
from sandbox.docker.conversation import converse
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, Place, container_config
from sandbox.docker.provider import DockerSandbox
from sandbox.docker.reaper import Reaper
from sandbox.errors import SandboxUnavailable
from sandbox.provisioning import Images
from sandbox.spec import Limits, RunSpec
from sandbox.wire import Surroundings, order_of
from tests.sandbox.running import Left, Run

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("phase", ["inspect_image", "create_container_from_config", "start", "remove_container"])
async def test_cancelled_in_every_phase(
    run: Run, sandbox: DockerSandbox, engine: Engine, left: Left, phase: str, when: str
) -> None:
    """The call to the engine is under way, or has just ended, when the run is cancelled."""
    loop = asyncio.get_running_loop()
    method: Callable[..., object] = getattr(engine.api, phase)

    def cancelling(*args: object, **kwargs: object) -> object:
        if when == "before":
            loop.call_soon_threadsafe(task.cancel)
        try:
            return method(*args, **kwargs)
        finally:
            if when == "after":
                loop.call_soon_threadsafe(task.cancel)

    setattr(engine.api, phase, cancelling)
    # A run that fails removes its container before it returns; one that ends well removes it afterwards.
    code = "sleep 100" if phase != "remove_container" else "exit 0"
    task = asyncio.create_task(run("sh", "-c", code, limits=Limits(wall_seconds=60)))
    if phase == "remove_container":
        await asyncio.wait([task])
    else:
        with pytest.raises(asyncio.CancelledError):
            await task
    await sandbox.close()
    setattr(engine.api, phase, method)
    assert await left() == []


@pytest.mark.parametrize(
    ("status", "said"),
    [(409, "removal of container x is already in progress"), (500, "unmount: device or resource busy")],
)
async def test_a_container_that_cannot_be_removed_at_once_is_removed_soon(
    run: Run, sandbox: DockerSandbox, engine: Engine, left: Left, status: int, said: str
) -> None:
    remove, refusals = engine.api.remove_container, itertools.count()

    def reluctant(container: str, *, v: bool, force: bool) -> None:
        if next(refusals) < 3:
            response = requests.Response()
            response.status_code = status
            raise APIError(said, response, said)
        remove(container, v=v, force=force)

    engine.api.remove_container = reluctant
    assert (await run("true")).exit_code == 0
    await sandbox.close()
    assert await left() == []
    assert next(refusals) == 4


async def test_what_an_engine_does_not_remove_is_left_to_the_reaper(
    run: Run, sandbox: DockerSandbox, engine: Engine, options: SandboxOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = engine.api.remove_container

    def refusing(container: str, *, v: bool, force: bool) -> None:
        raise APIError(f"{container} {v} {force}", None, "driver failed")

    engine.api.remove_container = refusing
    monkeypatch.setattr("sandbox.docker.engine._REMOVE_AGAIN_SECONDS", (0.01, 0.01))
    assert (await run("true")).exit_code == 0
    await sandbox.close()
    engine.api.remove_container = remove
    assert len((await Reaper(engine, options, lambda: sandbox.containers.live).round()).containers) == 1


async def test_cancelled_twice_still_leaves_nothing(run: Run, sandbox: DockerSandbox, left: Left) -> None:
    began = asyncio.Event()
    task = asyncio.create_task(run("sh", "-c", "echo on; sleep 100", on_output=lambda _stream, _data: began.set()))
    await asyncio.wait_for(began.wait(), 20)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await sandbox.close()
    assert await left() == []


WORKER = """
import asyncio, sys
from connectors.artifacts import ArtifactStore
from pydantic import SecretBytes
from sandbox.docker.container import SandboxOptions
from sandbox.docker.provider import DockerSandbox
from sandbox.docker.engine import Engine
from sandbox.egress.purposes import EgressSettings
from sandbox.spec import RunSpec

host, image, deployment, phase, folder, proxy, *script = sys.argv[1:]

async def main():
    engine = Engine(host)
    def stopping(method):
        def call(*args, **kwargs):
            answer = method(*args, **kwargs)
            print(phase, flush=True)
            sys.stdin.read()
            return answer
        return call
    if phase != 'running':
        setattr(engine.api, phase, stopping(getattr(engine.api, phase)))
    egress = EgressSettings(purposes={'git': ('example.com',)}, proxy_image=proxy) if proxy else None
    options = SandboxOptions(deployment=deployment, waiting=0 if proxy else 1)
    sandbox = DockerSandbox(engine, ArtifactStore(folder), options, egress)
    purpose = 'git' if proxy else None
    argv = ('sh', '-c', *(script or ['echo running; sleep 100']))
    spec = RunSpec(run_id='victim', image=image, argv=argv, purpose=purpose)
    await sandbox.run(spec, secrets={'k': SecretBytes(b'x')}, on_output=lambda s, d: print(d.decode(), flush=True))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("phase", "network"),
    [
        ("create_container_from_config", False),
        ("start", False),
        ("running", False),
        ("create_network", True),
        ("connect_container_to_network", True),
        ("running", True),
    ],
)
async def test_a_worker_killed_in_any_phase_leaves_nothing_after_the_next_round(
    engine: Engine, images: Images, options: SandboxOptions, left: Left, tmp_path: Path, phase: str, network: bool
) -> None:
    """With a network, the proxy and the way out are the worker's as well, and end with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, engine.host, images.base.digest, options.deployment, phase, str(tmp_path),
        images.proxy.digest if network else "",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    # The waiting container is in the same phase, and may say so on the same line.
    assert (await asyncio.wait_for(process.stdout.readline(), 30)).startswith(phase.encode())
    process.kill()
    await process.wait()
    assert await left() != []
    reaper = Reaper(engine, options, frozenset[str])
    reaped = await reaper.round()
    assert reaped.networks or not network
    assert reaped.containers or phase == "create_network"
    assert reaped.failed == 0
    # The engine goes on with what the dead worker asked of it last, perhaps after it was looked at.
    async with asyncio.timeout(20):
        while await left():
            await reaper.round()


async def test_the_command_of_a_killed_worker_ends_without_any_reaper(
    engine: Engine, image: str, options: SandboxOptions, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, engine.host, image, options.deployment, "running", str(tmp_path), "",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"running\n"
    process.kill()
    await process.wait()
    running = {"label": f"{LABEL_DEPLOYMENT}={options.deployment}", "status": "running"}
    async with asyncio.timeout(20):
        while True:
            if not await engine.call(engine.api.containers, all=True, filters=running):
                break
            await asyncio.sleep(0.05)
    await Reaper(engine, options, frozenset[str]).round()


@pytest.mark.parametrize(
    ("script", "network"),
    [
        ("echo running; sleep 300", False),
        ("echo running; sleep 1; exec yes", False),
        ("echo running; sleep 300", True),
    ],
    ids=["quiet", "with a flood that nobody reads", "with its proxy"],
)
async def test_what_a_stopped_worker_runs_ends(
    engine: Engine, images: Images, options: SandboxOptions, tmp_path: Path, script: str, network: bool
) -> None:
    """A worker that is stopped, or an engine that is killed, leaves the input open: what is missing is the beat."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, engine.host, images.base.digest, options.deployment, "running", str(tmp_path),
        images.proxy.digest if network else "", script,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"running\n"
    process.send_signal(signal.SIGSTOP)
    try:
        running = {"label": f"{LABEL_DEPLOYMENT}={options.deployment}", "status": "running"}
        assert await engine.call(engine.api.containers, all=True, filters=running)
        async with asyncio.timeout(30):
            while True:
                if not await engine.call(engine.api.containers, all=True, filters=running):
                    break
                await asyncio.sleep(0.1)
    finally:
        process.kill()
        await process.wait()
    await Reaper(engine, options, frozenset[str]).round()


async def test_a_quiet_command_of_a_worker_that_lives_goes_on(run: Run) -> None:
    seconds = first_process.SILENCE + 2
    assert (await run("sleep", str(seconds), limits=Limits(wall_seconds=60))).exit_code == 0


class Volumes(Protocol):
    """A call of the SDK that only this test makes."""

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> object: ...


class TestTheReaper:
    """It goes by label, owner, and time, and asks what is alive."""

    async def make(self, engine: Engine, image: str, labels: dict[str, str]) -> str:
        name = f"banksman-test-{uuid.uuid4().hex[:10]}"
        config = {"Image": image, "Labels": labels, "Cmd": ["true"]}
        await engine.call(engine.api.create_container_from_config, config, name)
        return name

    async def test_it_keeps_what_is_alive_and_what_is_not_ours(
        self, engine: Engine, image: str, options: SandboxOptions, sandbox: DockerSandbox
    ) -> None:
        base = dict(sandbox.containers.labels("run"))
        alive = await self.make(engine, image, base)
        garbage = await self.make(engine, image, base)
        colleague = await self.make(
            engine, image, {**base, "banksman.owner": "colleague", "banksman.until": "9999999999"}
        )
        abandoned = await self.make(engine, image, {**base, "banksman.owner": "colleague", "banksman.until": "1"})
        foreign = await self.make(engine, image, {**base, LABEL_DEPLOYMENT: "another"})
        plain = await self.make(engine, image, {})
        try:
            reaped = await Reaper(engine, options, lambda: {alive}).round()
            assert set(reaped.containers) == {garbage, abandoned}
            assert (await Reaper(engine, options, lambda: {alive}).round()).containers == ()
        finally:
            for name in (alive, colleague, foreign, plain):
                await engine.remove(engine.api.remove_container, name, v=True, force=True)

    async def test_it_never_takes_a_running_run(
        self, engine: Engine, options: SandboxOptions, sandbox: DockerSandbox, run: Run
    ) -> None:
        began = asyncio.Event()
        code = "echo on; sleep 0.5; echo done"
        task = asyncio.create_task(run("sh", "-c", code, on_output=lambda _stream, _data: began.set()))
        await asyncio.wait_for(began.wait(), 20)
        assert (await Reaper(engine, options, lambda: sandbox.containers.live).round()).containers == ()
        assert (await task).stdout.text == "on\ndone\n"

    async def test_one_that_cannot_be_removed_keeps_no_other_waiting(
        self, engine: Engine, image: str, options: SandboxOptions, sandbox: DockerSandbox, left: Left
    ) -> None:
        labels = dict(sandbox.containers.labels("run"))
        both = {await self.make(engine, image, labels) for _ in range(2)}
        remove, asked, other_is_gone = engine.api.remove_container, list[str](), threading.Event()

        def stubborn(container: str, *, v: bool, force: bool) -> None:
            asked.append(container)
            if container == asked[0] and not other_is_gone.is_set():
                raise APIError("it is busy", None, "device or resource busy")
            remove(container, v=v, force=force)
            if container != asked[0]:
                other_is_gone.set()

        engine.api.remove_container = stubborn
        reaped = await Reaper(engine, options, frozenset[str]).round()
        assert (set(reaped.containers), reaped.failed) == (both, 0)
        assert await left() == []

    async def test_a_network_that_went_meanwhile_is_no_failure(
        self, engine: Engine, options: SandboxOptions, sandbox: DockerSandbox, left: Left
    ) -> None:
        labels = sandbox.containers.labels("network")
        name = f"banksman-net-{uuid.uuid4().hex[:8]}"
        await engine.call(
            engine.api.create_network, name, driver="bridge", options={}, ipam={}, internal=True, labels=labels
        )
        inspect = engine.api.inspect_network

        def overtaken(net_id: str) -> Mapping[str, object]:
            engine.api.remove_network(net_id)
            return inspect(net_id)

        engine.api.inspect_network = overtaken
        reaped = await Reaper(engine, options, frozenset[str]).round()
        assert (reaped.networks, reaped.failed) == ((), 0)
        assert await left() == []

    async def test_networks_and_volumes_go_too(
        self, engine: Engine, image: str, options: SandboxOptions, sandbox: DockerSandbox, left: Left
    ) -> None:
        labels = sandbox.containers.labels("network")
        name = f"banksman-net-{uuid.uuid4().hex[:8]}"
        await engine.call(
            engine.api.create_network, name, driver="bridge", options={}, ipam={}, internal=True, labels=labels
        )
        volume = f"banksman-volume-{uuid.uuid4().hex[:8]}"
        await engine.call(cast("Volumes", engine.api).create_volume, volume, labels=labels)
        stranger = await self.make(engine, image, {})
        await engine.call(engine.api.connect_container_to_network, stranger, name)
        reaped = await Reaper(engine, options, frozenset[str]).round()
        await engine.remove(engine.api.remove_container, stranger, v=True, force=True)
        assert (reaped.networks, reaped.volumes) == ((name,), (volume,))
        assert await left() == []


async def test_an_engine_that_is_not_there_is_named(store: ArtifactStore, image: str, tmp_path: Path) -> None:
    engine = Engine(f"unix://{tmp_path}/none.sock")
    sandbox = DockerSandbox(engine, store, SandboxOptions())
    with warnings.catch_warnings(record=True) as forgotten:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(SandboxUnavailable, match="cannot be reached"):
            await sandbox.run(RunSpec(run_id="a", image=image, argv=("true",)))
        await engine.close()
        gc.collect()
    assert [str(warning.message) for warning in forgotten] == []


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:2375", "http://x", "", "npipe://x"])
def test_an_engine_without_a_socket_is_refused(host: str) -> None:
    with pytest.raises(SandboxUnavailable, match="not an engine's socket"):
        Engine(host)


async def test_a_store_that_fails_ends_the_run_and_leaves_nothing(
    engine: Engine, options: SandboxOptions, image: str, left: Left
) -> None:
    class Full:
        async def put(self, content: bytes) -> str:
            raise Unavailable(f"no space for {len(content)} bytes")

        async def get(self, reference: str) -> bytes:
            raise AssertionError(reference)

    sandbox = DockerSandbox(engine, Full(), options)
    spec = RunSpec(run_id="a", image=image, argv=("sh", "-c", "echo x > x"), artifacts=("x",))
    with pytest.raises(Unavailable, match="no space"):
        await sandbox.run(spec)
    await sandbox.close()
    assert await left() == []


async def test_a_thousand_queued_runs_use_no_more_than_their_share(
    sandbox: DockerSandbox, engine: Engine, image: str, options: SandboxOptions
) -> None:
    seen: list[int] = []
    start = engine.api.start

    def counting(container: str) -> None:
        start(container)
        label = {"label": f"{LABEL_DEPLOYMENT}={options.deployment}"}
        seen.append(len(engine.api.containers(all=False, filters=label)))

    engine.api.start = counting
    tasks = [
        asyncio.create_task(sandbox.run(RunSpec(run_id=f"r{number}", image=image, argv=("true",))))
        for number in range(1000)
    ]
    for finished in itertools.islice(asyncio.as_completed(tasks), 12):
        assert (await finished).exit_code == 0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert max(seen) <= 2 * options.concurrency  # as many run, and as many may be on their way out


async def test_a_first_process_that_hangs_is_killed_and_told_as_the_providers_failure(
    sandbox: DockerSandbox, engine: Engine, image: str, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine stops it from outside, which nothing inside can do."""
    monkeypatch.setattr(conversation, "SLACK_SECONDS", 1)
    spec = RunSpec(run_id="hangs", image=image, argv=("sh", "-c", "echo on; sleep 1"), limits=Limits(wall_seconds=2))

    def stop(*_: object) -> None:
        (container,) = engine.api.containers(all=False, filters={"label": "banksman.run=hangs"})
        inspected = engine.api.inspect_container(str(container["Id"]))
        os.kill(cast("dict[str, int]", inspected["State"])["Pid"], signal.SIGSTOP)

    with pytest.raises(SandboxUnavailable, match="did not end the command in time; it was killed"):
        await sandbox.run(spec, on_output=stop)
    assert await left() == []


async def test_a_container_is_there_until_its_worker_has_read_the_result_and_ends_by_itself_then(
    engine: Engine, image: str, options: SandboxOptions, store: ArtifactStore, sandbox: DockerSandbox
) -> None:
    """Docker drops what nobody has read two seconds after a container's end, and a worker may be as slow as that."""
    labels = sandbox.containers.labels("run")
    spec = RunSpec(run_id="read", image=image, argv=("true",))
    place = Place.of(image, spec.limits)
    container = await sandbox.containers.start(
        f"banksman-read-{uuid.uuid4().hex[:8]}", container_config(place, spec.limits, labels)
    )
    collector = Collector(spec, store, None)
    try:
        await converse(engine, container, order_of(spec, {}, [], Surroundings()), collector, within=60)
        assert collector.report is not None
        more = asyncio.create_task(container.attachment.frame())
        ended, _ = await asyncio.wait([more], timeout=1)  # one that does not wait is over in a tenth of that
        more.cancel()
        assert not ended
        await container.attachment.close()
        assert await engine.call(engine.api.wait, container.id) == {"Error": None, "StatusCode": 0}
    finally:
        await sandbox.containers.remove(container)
