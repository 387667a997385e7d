"""One release in a container as shut as any run's: no network, no credential, nothing of it outlives the container.

What it needs of others it asks the platform for, which holds the logins.
"""

import asyncio
import contextlib
import secrets
from collections import deque
from typing import Final, Self

from deploy.local.platform.line import Answer, Line, NoAnswer, Request
from deploy.local.platform.model import NEEDS_PORT, PORT, Release
from deploy.local.platform.outward import Answering, Outward
from sandbox.docker.container import PREFIX, Container, Containers
from sandbox.docker.hardening import Place, container_config
from sandbox.errors import SandboxError
from sandbox.order import Entry
from sandbox.spec import MIB, Limits
from sandbox.wire import Order

_LIMITS: Final = Limits(
    memory_bytes=192 * MIB, cpus=1, pids=128, workspace_bytes=32 * MIB, tmp_bytes=16 * MIB, wall_seconds=86400
)
_READY_SECONDS: Final = 30.0
_LAST_WORDS: Final = 5.0
_TRY_AGAIN: Final = 0.1
_ANSWER_SECONDS: Final = 20.0
_LINES: Final = 20
_LONGEST_LINE: Final = 300


class DidNotStart(Exception):
    """A release does not serve; the message ends with what it said last, made visible."""


class Running:
    """One release that runs, until it is closed.

    Attributes:
        release: Which one.
    """

    def __init__(self, containers: Containers, container: Container, release: Release) -> None:
        self.release = release
        self._containers, self._container = containers, container
        self._line: Line | None = None
        self._outward: Outward | None = None
        self._said: deque[str] = deque(maxlen=_LINES)
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls, containers: Containers, image: str, release: Release, *, service: str, answering: Answering | None = None
    ) -> Self:
        """Start it, and wait until it serves.

        Args:
            containers: Makes the container.
            image: By digest.
            release: What runs.
            service: Whose it is, for its name.
            answering: Answers what it asks of its needs; None where it has none.

        Raises:
            DidNotStart: It ended, or does not answer in time; nothing of it is left.
            SandboxError: The container engine does not do its part.
        """
        config = container_config(Place.of(image, _LIMITS), _LIMITS, containers.labels("platform"), hostname=service)
        name = f"{PREFIX}service-{service}-{release.digest}-{secrets.token_hex(3)}"
        container = await containers.start(name, config)
        running = cls(containers, container, release)
        try:
            await container.attachment.send(_order(release, asks=answering is not None))
            await running._connect(answering)
            await running._ready()
        except BaseException:
            await running.close()
            raise
        return running

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not self._listening.done()

    async def ask(self, request: Request) -> Answer:
        """One request.

        Raises:
            NoAnswer: There is no answer.
        """
        if self._line is None or not self.alive:
            raise NoAnswer("the release has ended")
        return await self._line.ask(request, seconds=_ANSWER_SECONDS)

    async def close(self) -> None:
        """End it."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        for line in (self._line, self._outward):
            if line is not None:
                await line.close()
        await self._containers.remove(self._container)

    async def _connect(self, answering: Answering | None) -> None:
        engine, container = self._containers.engine, self._container.id
        try:
            if answering is not None:
                self._outward = await Outward.open(engine, container, answering, port=NEEDS_PORT)
            self._line = await Line.open(engine, container, port=PORT)
        except SandboxError as error:
            await asyncio.wait({self._listening}, timeout=_LAST_WORDS)
            if self.alive:
                raise
            raise DidNotStart(f"the release ended before it served{self._last()}") from error

    async def _ready(self) -> None:
        request = Request(method="GET", path=self.release.health, headers={})
        why = "it does not answer"
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while self.alive:
                    try:
                        status = (await self.ask(request)).status
                    except NoAnswer as error:
                        why = str(error)
                    else:
                        if status < 500:  # noqa: PLR2004 - HTTP's own number
                            return
                        why = f"{self.release.health!r} answers {status}"
                    await asyncio.sleep(_TRY_AGAIN)
        except TimeoutError:
            raise DidNotStart(f"the release does not serve: {why}{self._last()}") from None
        raise DidNotStart(f"the release ended before it served{self._last()}")

    def _last(self) -> str:
        return f"; it said last: {' / '.join(list(self._said)[-3:])}" if self._said else ""

    async def _listen(self) -> None:
        """Read what it says, until it ends."""
        with contextlib.suppress(SandboxError):
            while (frame := await self._container.attachment.frame()) is not None:
                kind, body = frame
                if kind in {b"R", b"X"}:  # the command has ended, or could not begin
                    return
                if kind in {b"O", b"E"}:
                    lines = body.decode(errors="replace").splitlines()[-_LINES:]
                    self._said.extend(_visible(line) for line in lines if line.strip())


def _visible(line: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in line[:_LONGEST_LINE])


def _order(release: Release, *, asks: bool) -> Order:
    """The service's command, on its files, for as long as the container lives."""
    contents = {path: text.encode() for path, text in release.files.items()}
    entries: list[Entry] = [{"path": path, "size": len(text), "mode": 0o600} for path, text in contents.items()]
    return Order(
        {
            "argv": list(release.command),
            "directory": "",
            "environment": {
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": "/tmp",  # noqa: S108 - a tmpfs of the container's own
                "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
                "PORT": str(PORT),
                **({"NEEDS_PORT": str(NEEDS_PORT)} if asks else {}),
            },
            "files": entries,
            "secrets": [],
            "archives": [],
            "artifacts": [],
            "limits": {
                "wall_seconds": None,
                "grace_seconds": 0,
                "output_bytes": None,
                "telemetry_bytes": 0,
                "artifact_bytes": 0,
                "artifact_files": 0,
            },
            "farewells": [],
            "stays": False,
        },
        list(contents.values()),
    )
