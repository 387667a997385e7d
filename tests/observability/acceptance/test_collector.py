"""The shipped collector before a store that is away, refuses or is slow: no sender waits, and no loss is silent."""

import asyncio
import http.server
import re
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from deploy.local.processes.ports import Ports
from deploy.local.telemetry.configured import SHIPPED, Places, collector_override
from deploy.local.telemetry.lines import send_lines
from deploy.local.telemetry.programs import find_programs
from deploy.local.tools import ToolUnavailableError, tell
from tests.stack.running import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

_LOST = re.compile(r"^otelcol_exporter_(?:send|enqueue)_failed_log_records(?:_total)?\{.*\} (\d+)", re.MULTILINE)


@dataclass
class Store:
    """Where lines are kept.

    Attributes:
        status: What it answers.
        free: It answers once this is set.
        asked: How often it was asked.
        lines: What it has.
    """

    status: int = 200
    free: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    lines: list[str] = field(default_factory=list[str])

    def took(self, body: bytes) -> None:
        sent = ExportLogsServiceRequest.FromString(body)
        self.lines += [
            line.body.string_value
            for batch in sent.resource_logs
            for scoped in batch.scope_logs
            for line in scoped.log_records
        ]


@dataclass(frozen=True)
class Collecting:
    """A collector with its store."""

    places: Places
    store: Store

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.places.otlp}"

    def send(self, *lines: str) -> int:
        """What it says to whoever sends it these lines."""
        records = [{"body": {"stringValue": line}} for line in lines]
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
        return httpx.post(f"{self.url}/v1/logs", json=body, timeout=30).status_code

    def lost(self) -> int:
        """How many lines it says that it has lost."""
        page = httpx.get(f"http://127.0.0.1:{self.places.collector}/metrics", timeout=30).text
        return sum(int(one) for one in _LOST.findall(page))


@contextmanager
def _listening(store: Store, port: int) -> Generator[None]:
    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            store.asked += 1
            store.free.wait(120)
            if store.status == 200:
                store.took(_plain(body, self.headers.get("content-encoding")))
            self.send_response(store.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        store.free.set()
        server.shutdown()


def _plain(body: bytes, encoding: str | None) -> bytes:
    answer = httpx.Response(200, content=body, headers={"content-encoding": encoding or "identity"})
    return answer.read()


@pytest.fixture
def collecting(tmp_path: Path) -> Generator[Collecting]:
    try:
        program = asyncio.run(find_programs(tell)).collector
    except ToolUnavailableError as error:
        pytest.skip(str(error))
    ports, store = Ports(), Store()
    store.free.set()
    places = Places.choose(ports)
    override = tmp_path / "override.json"
    override.write_text(collector_override(places, traces=places.jaeger_otlp))
    words = [str(program), "--config", str(SHIPPED / "collector/collector.yml"), "--config", str(override)]
    with (tmp_path / "collector.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        eventually(lambda: _healthy(places), what="the collector")
        yield Collecting(places, store)
    finally:
        process.kill()
        process.wait()
        ports.release()


def _healthy(places: Places) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{places.health}/").is_success
    except httpx.TransportError:
        return False


def _told(log: Path, store: Store) -> bool:
    """Whether lines of a file arrive: those from before the first look at it do not."""
    with log.open("a") as file:
        file.write("look\n")
    return "look" in store.lines


@pytest.mark.parametrize("status", [429, 503])
def test_what_a_store_refuses_for_a_while_arrives_when_it_takes_it(collecting: Collecting, status: int) -> None:
    store = collecting.store
    store.status = status
    with _listening(store, collecting.places.log_store):
        assert collecting.send("one", "two") == 200
        eventually(lambda: store.asked, what="the store to be asked")
        assert collecting.send("three") == 200
        store.status = 200
        eventually(lambda: sorted(store.lines) == ["one", "three", "two"], what="each line, once")
        assert collecting.lost() == 0


def test_what_a_store_refuses_for_good_is_counted_and_the_next_lines_arrive(collecting: Collecting) -> None:
    store = collecting.store
    store.status = 400
    with _listening(store, collecting.places.log_store):
        assert collecting.send("one", "two") == 200
        eventually(lambda: collecting.lost() == 2, what="the loss to be counted")
        store.status = 200
        assert collecting.send("three") == 200
        eventually(lambda: store.lines == ["three"], what="the next line")


def test_while_a_store_is_slow_whoever_sends_is_answered_at_once(collecting: Collecting) -> None:
    store = collecting.store
    store.free.clear()
    with _listening(store, collecting.places.log_store):
        assert collecting.send("one") == 200
        eventually(lambda: store.asked, what="the store to be asked")
        assert {collecting.send(f"more {number}") for number in range(50)} == {200}
        assert store.lines == [], "it has answered none of them yet"
        store.free.set()
        eventually(lambda: len(store.lines) == 51, what="all of them")
        assert collecting.lost() == 0


def test_a_store_that_comes_late_gets_what_was_sent_before(collecting: Collecting) -> None:
    assert collecting.send("early") == 200
    with _listening(collecting.store, collecting.places.log_store):
        eventually(lambda: collecting.store.lines == ["early"], what="the line", seconds=60)
        assert collecting.lost() == 0


def test_lines_of_ten_megabytes_keep_no_other_line_from_the_store(collecting: Collecting, tmp_path: Path) -> None:
    folder, stopped = tmp_path / "logs", threading.Event()
    folder.mkdir()
    (folder / "first.log").touch()
    with _listening(collecting.store, collecting.places.log_store):
        sending = threading.Thread(target=send_lines, args=(folder, collecting.url, stopped))
        sending.start()
        try:
            eventually(lambda: _told(folder / "first.log", collecting.store), what="the first look at the folder")
            (folder / "big.log").write_bytes(b"x" * 10_000_000 + b"\n" + b"y" * 10_000_000 + b"\n" + b"after\n")
            (folder / "small.log").write_text("beside\n")
            eventually(lambda: {"after", "beside"} <= set(collecting.store.lines), what="the lines after and beside it")
            others = [line for line in collecting.store.lines if line[0] in "xy"]
            assert (len(others), sum(map(len, others))) == (78, 20_000_000)
        finally:
            stopped.set()
            sending.join()
    assert collecting.lost() == 0
