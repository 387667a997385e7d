"""Which needs a release has, and the line that its container asks them by."""

import asyncio
import json
import struct
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deploy.local.platform import asking
from deploy.local.platform.container import DidNotStart
from deploy.local.platform.model import Release, Wanted
from deploy.local.platform.needs import NotItsOwn, needs_of
from deploy.local.platform.outward import Outward, Reply
from deploy.local.platform.pages import pages_app
from deploy.local.platform.platform import Platform
from deploy.local.platform.stores import Stores
from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from tests.deploy.local.platform.conftest import SHOP, Clock, shop

MANIFEST = (SHOP / "banksman.yaml").read_text()
ASKS = """
import http.server, json, os, urllib.error, urllib.request
def ask(path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{os.environ['NEEDS_PORT']}{path}", data=body)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = {
            "products": ask("/products", b'{"query": "SELECT 1"}'),
            "orders": ask("/orders", b"{}"),
            "long": ask("/products", b"x" * (1024 * 1024 + 1)),
            "environment": sorted(os.environ),
        }
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(found).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""


def release(text: str = MANIFEST) -> Release:
    return Release(files={"main.py": "", "banksman.yaml": text}, command=("python3", "main.py"))


@pytest.mark.parametrize("service", ["storefront", "storefront-staging"])
def test_a_release_has_the_needs_of_its_own_manifest(service: str) -> None:
    assert list(needs_of(release(), service)) == ["products", "storefront-cache", "storefront-search"]


def test_without_a_manifest_it_has_none() -> None:
    assert needs_of(Release(files={"main.py": ""}, command=("python3", "main.py")), "storefront") == {}


@pytest.mark.parametrize("service", ["shop", "storefronts", "my-storefront"])
def test_another_services_manifest_gives_it_nothing(service: str) -> None:
    with pytest.raises(NotItsOwn, match="that of 'storefront', and this is"):
        needs_of(release(), service)


def test_a_mistake_in_it_is_told() -> None:
    with pytest.raises(NotItsOwn, match="unknown key 'need'"):
        needs_of(release(MANIFEST.replace("needs:", "need:")), "storefront")


class Written:
    """The writing end of a line; what was written to it."""

    def __init__(self) -> None:
        self.frames = bytearray()

    def write(self, data: bytes) -> None:
        self.frames += data

    async def drain(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    async def wait_closed(self) -> None:
        """Nothing was."""


def out(number: int, body: bytes) -> bytes:
    """A frame, as the engine passes on what a program wrote."""
    frame = asking.HEAD.pack(number, len(body)) + body
    return struct.pack(">BxxxI", 1, len(frame)) + frame


async def lines(*parts: bytes) -> tuple[list[tuple[str, bytes]], list[dict[str, Any]]]:
    """What was asked by these parts, and what was answered."""
    reader, written, asked = asyncio.StreamReader(), Written(), list[tuple[str, bytes]]()

    async def answering(path: str, body: bytes) -> Reply:
        asked.append((path, body))
        return Reply(200, b"{}")

    line = Outward(reader, written, answering)  # pyright: ignore[reportArgumentType] - what it uses of a writer
    for part in parts:
        reader.feed_data(part)
    reader.feed_eof()
    async with asyncio.timeout(10):
        await line.ended()
    await line.close()
    found, frames = list[dict[str, Any]](), bytes(written.frames)
    while frames:
        _, size = asking.HEAD.unpack_from(frames)
        found.append(json.loads(frames[asking.HEAD.size : asking.HEAD.size + size]))
        frames = frames[asking.HEAD.size + size :]
    return asked, found


async def test_a_question_is_answered() -> None:
    asked, said = await lines(out(0, b""), out(1, b'{"path": "/products", "body": "eyJxIjogMX0="}'))
    assert asked == [("/products", b'{"q": 1}')]
    assert said == [{"status": 200, "body": "e30="}]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no json",
        b'{"path": "products", "body": ""}',
        b'{"path": "/a b", "body": ""}',
        b'{"path": "/a\\r\\nHost: x", "body": ""}',
        b'{"path": "/products", "body": "not base64!"}',
        json.dumps({"path": "/" + "x" * 600, "body": ""}).encode(),
    ],
)
async def test_what_is_no_question_is_refused_and_nobody_is_asked(text: bytes) -> None:
    asked, said = await lines(out(1, text))
    assert asked == []
    assert [one["status"] for one in said] == [400]


async def test_a_line_that_says_too_much_is_heard_no_further() -> None:
    good = out(2, b'{"path": "/products", "body": ""}')
    asked, said = await lines(struct.pack(">BxxxI", 1, 8) + asking.HEAD.pack(1, 2**31), good)
    assert (asked, said) == ([], [])


@pytest.mark.docker
@pytest.mark.timeout(240)
async def test_a_container_asks_the_platform_and_holds_no_login(
    engine: Engine, image: str, options: SandboxOptions, folder: Any, clock: Clock
) -> None:
    """Vault is not there, so that each need is asked and none answers."""
    stores = Stores("http://127.0.0.1:9", SecretStr("token-canary"))
    platform = Platform(Containers(engine, options), image, folder, clock=clock, stores=stores)
    given: dict[str, object] = {
        "name": "storefront",
        "files": {"main.py": ASKS, "banksman.yaml": MANIFEST},
        "command": ("python3", "main.py"),
    }
    try:
        await platform.create(Wanted.model_validate(given))
        transport = httpx.ASGITransport(pages_app(platform))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8340") as browser:
            found = (await browser.get("/storefront/", timeout=60)).json()
        with pytest.raises(DidNotStart, match="that of 'storefront', and this is 'basket'"):
            await platform.create(Wanted.model_validate({**given, "name": "basket"}))
    finally:
        await platform.close()
    assert found["products"] == [503, {"error": "products does not answer"}]
    assert found["orders"][0] == 404
    assert found["long"][0] == 413
    assert [name for name in found["environment"] if "VAULT" in name or "PASSWORD" in name or "TOKEN" in name] == []
    assert "token-canary" not in json.dumps(found)


@pytest.mark.docker
@pytest.mark.timeout(240)
async def test_the_example_shows_a_page_where_nothing_can_be_asked(platform: Platform) -> None:
    await platform.create(shop())
    transport = httpx.ASGITransport(pages_app(platform))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8340") as browser:
        page = (await browser.get("/shop/", timeout=60)).text
    assert "The goods cannot be shown now" in page
