"""A person who decides for a demonstration clicks again where the gateway is not there yet."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deploy.local import seeded_person
from deploy.local.seeded_person import Message, SeededPerson


class Twin(ThreadingHTTPServer):
    """Answers what is pressed: with these endings, and with the last of them from then on."""

    endings: tuple[str | None, ...] = ()
    pressed = 0


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        twin = self.server
        assert isinstance(twin, Twin)
        self.rfile.read(int(self.headers["content-length"]))
        ending = twin.endings[min(twin.pressed, len(twin.endings) - 1)]
        twin.pressed += 1
        body = json.dumps({"acknowledged": ending == "acknowledged", "ending": ending}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        """Nobody reads it."""


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin(("127.0.0.1", 0), _Answers) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def click(twin: Twin) -> None:
    SeededPerson(f"http://127.0.0.1:{twin.server_port}").click(Message(ts="1.2"), "approve")


def test_a_click_that_nobody_was_there_for_is_made_again(twin: Twin) -> None:
    twin.endings = ("unreachable", "unreachable", "acknowledged")
    click(twin)
    assert twin.pressed == 3


@pytest.mark.parametrize("ending", ["acknowledged", "timed_out", "refused", None])
def test_what_somebody_has_perhaps_taken_is_not_pressed_twice(twin: Twin, ending: str | None) -> None:
    twin.endings = (ending,)
    click(twin)
    assert twin.pressed == 1


def test_where_no_gateway_comes_that_is_said(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeded_person, "_PATIENCE", 0)
    twin.endings = ("unreachable",)
    with pytest.raises(TimeoutError, match="banksman status"):
        click(twin)
