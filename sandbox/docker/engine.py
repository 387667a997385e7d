"""The one border to the `docker` SDK: typed calls, off the event loop, with foreign errors translated.

The SDK is synchronous and untyped. Its API client is named here as a `Protocol` with the calls that we make; each
runs in a thread of the engine's own pool. A call that was started is always waited for, also when the caller is
cancelled: otherwise a container could appear after its clean-up.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final, Protocol, TypeVar, cast

import docker
from docker import errors as docker_errors
from docker.transport import unixconn

from observability.redaction import redact
from sandbox.errors import CapacityExhausted, ImageMissing, SandboxError, SandboxUnavailable

Json = Mapping[str, object]
_Answer = TypeVar("_Answer")

_CALL_SECONDS: Final = 60
_REMOVE_AGAIN_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Waits between the tries of one removal."""
_EXHAUSTED: Final = ("address pool", "no available", "no space left", "exhausted", "too many")


class Response(Protocol):
    """What a plain HTTP call to the engine answers."""

    def raise_for_status(self) -> None:
        """Fail on 4xx and 5xx."""
        ...

    def iter_content(self, size: int) -> Iterable[bytes]:
        """The body, in pieces, where it was asked for as a stream."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class EngineApi(Protocol):
    """The part of `docker.APIClient` that is used; names and order of parameters are the SDK's."""

    base_url: str
    api_version: str

    def close(self) -> None: ...  # noqa: D102 - the SDK's own, as are all of these
    def ping(self) -> object: ...  # noqa: D102 - see above
    def info(self) -> Json: ...  # noqa: D102 - see above
    def post(self, url: str, *, json: Json, timeout: int) -> Response: ...  # noqa: D102 - see above
    def get(self, url: str, *, params: Json, stream: bool, timeout: int) -> Response: ...  # noqa: D102 - see above
    def load_image(self, data: BinaryIO, quiet: bool) -> Iterable[Json]: ...  # noqa: D102 - see above
    def containers(self, *, all: bool, filters: Json) -> Sequence[Json]: ...  # noqa: A002, D102 - see above
    def create_container_from_config(self, config: Json, name: str) -> Json: ...  # noqa: D102 - see above
    def start(self, container: str) -> None: ...  # noqa: D102 - see above
    def kill(self, container: str) -> None: ...  # noqa: D102 - see above
    def wait(self, container: str, *, timeout: int) -> Json: ...  # noqa: D102 - see above
    def diff(self, container: str) -> Sequence[Json] | None: ...  # noqa: D102 - see above
    def inspect_container(self, container: str) -> Json: ...  # noqa: D102 - see above
    def remove_container(self, container: str, *, v: bool, force: bool) -> None: ...  # noqa: D102 - see above
    def inspect_image(self, image: str) -> Json: ...  # noqa: D102 - see above
    def build(self, **options: object) -> Iterable[Json]: ...  # noqa: D102 - see above
    def pull(self, repository: str, *, tag: str) -> str: ...  # noqa: D102 - see above
    def import_image_from_file(self, filename: str, *, repository: str, tag: str) -> str: ...  # noqa: D102 - see above
    def images(self, *, filters: Json) -> Sequence[Json]: ...  # noqa: D102 - see above
    def remove_image(self, image: str, *, force: bool) -> object: ...  # noqa: D102 - see above
    def networks(self, *, filters: Json) -> Sequence[Json]: ...  # noqa: D102 - see above
    def inspect_network(self, net_id: str) -> Json: ...  # noqa: D102 - see above
    def remove_network(self, net_id: str) -> None: ...  # noqa: D102 - see above
    def disconnect_container_from_network(self, container: str, net_id: str, *, force: bool) -> None: ...  # noqa: D102 - see above
    def volumes(self, *, filters: Json) -> Json: ...  # noqa: D102 - see above
    def remove_volume(self, name: str, *, force: bool) -> None: ...  # noqa: D102 - see above
    def exec_create(self, container: str, cmd: Sequence[str], *, stdin: bool = False) -> Json: ...  # noqa: D102 - see above
    def exec_start(self, exec_id: str, *, detach: bool) -> object: ...  # noqa: D102 - see above
    def create_volume(self, name: str, *, driver: str, driver_opts: Json, labels: Json) -> Json: ...  # noqa: D102 - see above
    def create_network(  # noqa: D102, PLR0913 - see above
        self,
        name: str,
        *,
        driver: str,
        options: Json,
        ipam: Json,
        internal: bool,
        labels: Json,
    ) -> Json: ...
    def connect_container_to_network(  # noqa: D102 - see above
        self, container: str, net_id: str, *, ipv4_address: str | None = None, aliases: Sequence[str] | None = None
    ) -> None: ...


class _Connection(unixconn.UnixHTTPConnection):
    """The SDK's own, with its socket closed when nobody listens; the SDK leaves that to the garbage collector."""

    def connect(self) -> None:
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self.unix_socket))
        except BaseException:
            self.close()
            raise


# The SDK's pool makes connections of the class under this name, and offers no other way.
unixconn.UnixHTTPConnection = _Connection


def connect(host: str, *, timeout: int = _CALL_SECONDS) -> EngineApi:
    """A client for one engine; nothing is sent yet.

    Args:
        host: `unix://` and the path of the engine's socket.
        timeout: Seconds that one call may take.

    Raises:
        SandboxUnavailable: No engine can be addressed like that.
    """
    if not host.startswith("unix://"):
        raise SandboxUnavailable(f"{host!r} is not an engine's socket; give unix:// and its path")
    try:
        client = docker.APIClient(base_url=host, timeout=timeout, version="1.41", max_pool_size=32)
    except docker_errors.DockerException as error:
        raise SandboxUnavailable(f"the container engine at {host!r} cannot be used: start it") from error
    return cast("EngineApi", client)


class Engine:
    """Calls one engine from asyncio.

    Args:
        host: `unix://` and the path of the engine's socket.
        threads: Calls that may be under way at once.
        timeout: Seconds that one call may take.
    """

    def __init__(self, host: str, *, threads: int = 16, timeout: int = _CALL_SECONDS) -> None:
        self.host = host
        self.socket_path = host.removeprefix("unix://")
        self.api = connect(host, timeout=timeout)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="container-engine")

    async def call(self, method: Callable[..., _Answer], *args: object, **kwargs: object) -> _Answer:
        """Run one SDK call in a thread, to its end whatever happens to the caller.

        Raises:
            SandboxError: The tree of `sandbox.errors`.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, functools.partial(_translated, method, *args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # read, so that the loop does not report it as lost
            raise

    async def remove(self, method: Callable[..., None], *args: str, **how: bool) -> bool:
        """Run one SDK call that removes something, again where the engine answers that it could not.

        It cannot while the kernel holds a mount for a moment longer, while another removal is under way, or while
        something that is being removed still uses it.

        Returns:
            Whether it was there.

        Raises:
            SandboxError: It could not for half a minute, or cannot be reached.
        """
        try:
            for seconds in _REMOVE_AGAIN_SECONDS:
                with contextlib.suppress(NotDone):
                    await self.call(method, *args, **how)
                    return True
                await asyncio.sleep(seconds)
            await self.call(method, *args, **how)
        except NotThere:
            return False
        return True

    async def update(self, container: str, limits: Json) -> None:
        """Change the limits of a container that runs; the SDK's own call lacks the number of processes.

        Raises:
            SandboxUnavailable: The engine refuses or is gone.
        """
        url = f"{self.api.base_url}/v{self.api.api_version}/containers/{container}/update"
        response = await self.call(self.api.post, url, json=limits, timeout=_CALL_SECONDS)
        await self.call(response.raise_for_status)

    async def close(self) -> None:
        """Give the threads and connections back."""
        await asyncio.to_thread(self._threads.shutdown)
        self.api.close()


def _translated(method: Callable[..., _Answer], *args: object, **kwargs: object) -> _Answer:
    try:
        return method(*args, **kwargs)
    except docker_errors.ImageNotFound as error:
        raise ImageMissing("the engine does not hold the image: build the images") from error
    except docker_errors.APIError as error:
        raise _of_answer(error) from error
    except (docker_errors.DockerException, OSError) as error:  # requests' errors are OSErrors
        raise SandboxUnavailable(f"the container engine cannot be reached: {type(error).__name__}") from error


class NotThere(SandboxUnavailable):
    """The engine knows no such container, network or volume."""


class NotDone(SandboxUnavailable):
    """The engine answered that it could not."""


def _of_answer(error: docker_errors.APIError) -> SandboxError:
    status = error.status_code
    said = str(cast("object", error.explanation) or "")
    if status == 404:  # noqa: PLR2004 - HTTP's own number
        missing_image = "no such image" in said.lower()
        return ImageMissing("the engine does not hold the image: build the images") if missing_image else NotThere(said)
    told = redact.head(said, 200)
    if any(word in said.lower() for word in _EXHAUSTED):
        return CapacityExhausted(f"the container engine has no room for one more run: {told!r}")
    return NotDone(f"the container engine answered {status}: {told!r}")
