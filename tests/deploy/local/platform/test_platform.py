"""Releases as real containers: deployed side by side, watched, taken back, killed, and attacked from inside."""

import asyncio
from pathlib import Path

import httpx
import pytest

from deploy.local.platform.container import DidNotStart
from deploy.local.platform.control import control_app
from deploy.local.platform.line import NoAnswer, Request
from deploy.local.platform.model import Wanted
from deploy.local.platform.pages import RELEASE, pages_app
from deploy.local.platform.platform import Exists, Platform, Unknown, pause_after
from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from tests.deploy.local.platform.conftest import Clock, shop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

PAGE = Request(method="GET", path="/", headers={})
ATTACK = """
import json, os, pathlib, socket, http.server
def tries(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "it can"
def connects(host, port):
    return lambda: socket.create_connection((host, port), timeout=1).close()
found = {
    "network": tries(connects("8.8.8.8", 53)),
    "gateway": tries(connects("172.17.0.1", 80)),
    "metadata": tries(connects("169.254.169.254", 80)),
    "names": tries(lambda: socket.getaddrinfo("example.com", 80)),
    "write": tries(lambda: pathlib.Path("/usr/bin/evil").write_text("x")),
    "engine": os.path.exists("/var/run/docker.sock"),
    "root": os.geteuid() == 0,
    "environment": sorted(os.environ),
}
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "stolen=1")
        self.send_header("Content-Security-Policy", "default-src *")
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""
DIES = """
import http.server, os, threading
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        self.send_response(200); self.end_headers(); self.wfile.write(b"newer")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""
ILL = """
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/well", "/healthz") else 500)
        self.end_headers()
        self.wfile.write(b"ill")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""


def visitor(platform: Platform) -> httpx.AsyncClient:
    """A browser on this machine."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages_app(platform)), base_url="http://127.0.0.1:8340")


def program(text: str, **changes: object) -> Wanted:
    given = {"health": "/", **changes}
    return shop(files={"main.py": text}, command=("python3", "main.py"), **given)


async def titles(platform: Platform, *, times: int, path: str = "/shop/") -> list[str]:
    """What so many visitors see."""
    async with visitor(platform) as browser:
        pages = [(await browser.get(path)).text for _ in range(times)]
    return [page.partition("<h1>")[2].partition("</h1>")[0] for page in pages]


async def test_a_new_release_is_beside_the_old_one_then_gets_all_and_the_old_one_is_ended(
    platform: Platform, clock: Clock
) -> None:
    await platform.create(shop())
    assert await titles(platform, times=3) == ["The shop"] * 3
    await platform.change(shop(title="The new shop", share=25, watchSeconds=60))
    seen = await titles(platform, times=20)
    assert (seen.count("The shop"), seen.count("The new shop")) == (15, 5)
    assert set(await titles(platform, times=3, path="/shop@newest/")) == {"The new shop"}
    clock.now += 60
    await platform.turn("shop")
    assert set(await titles(platform, times=10)) == {"The new shop"}
    assert set(await titles(platform, times=2, path="/shop@newest/")) == {"The new shop"}


async def test_back_to_the_old_release_under_watch_is_back_at_once(platform: Platform, clock: Clock) -> None:
    await platform.create(shop())
    await platform.change(shop(title="The new shop", share=50, watchSeconds=60))
    await platform.change(shop(share=50, watchSeconds=60))
    assert set(await titles(platform, times=6)) == {"The shop"}
    clock.now += 100
    await platform.turn("shop")
    assert set(await titles(platform, times=6)) == {"The shop"}


async def test_one_that_does_not_serve_changes_nothing_and_says_why(platform: Platform) -> None:
    await platform.create(shop())
    broken = program("raise SystemExit('no such module: basket')", share=100)
    with pytest.raises(DidNotStart, match="no such module: basket"):
        await platform.change(broken)
    assert platform.find("shop").wanted == shop()
    assert set(await titles(platform, times=3)) == {"The shop"}


async def test_one_that_dies_under_watch_loses_its_traffic_and_is_never_all(platform: Platform, clock: Clock) -> None:
    await platform.create(shop())
    await platform.change(program(DIES, share=100, watchSeconds=60))
    with pytest.raises(NoAnswer):
        await platform.answer("shop", Request(method="GET", path="/die", headers={}))
    async with asyncio.timeout(30):
        while platform.find("shop").rollout.newer is not None:
            await platform.turn("shop")
            await asyncio.sleep(0.05)
    clock.now += 100
    await platform.turn("shop")
    assert set(await titles(platform, times=4)) == {"The shop"}
    assert platform.find("shop").rollout.failed == program(DIES).release.digest


@pytest.mark.parametrize("path", ["/shop/", "/shop@newest/"])
async def test_one_that_answers_ill_under_watch_loses_its_traffic_and_nothing_takes_another_for_it(
    platform: Platform, clock: Clock, path: str
) -> None:
    """Whoever asks it, visitors or who verifies it."""
    await platform.create(shop())
    await platform.change(program(ILL, share=50, watchSeconds=60, health="/healthz"))
    async with visitor(platform) as browser:
        for _ in range(6):
            await browser.get(path)
        await platform.turn("shop")
        assert [(await browser.get("/shop/")).status_code for _ in range(8)] == [200] * 8
        assert (await browser.get("/shop@newest/")).status_code == 502
        clock.now += 100
        await platform.turn("shop")
        assert [(await browser.get("/shop/")).status_code for _ in range(8)] == [200] * 8
        assert platform.find("shop").rollout.failed == program(ILL, health="/healthz").release.digest
        # The next one is watched anew, and is the newest.
        await platform.change(shop(title="The new shop", share=50, watchSeconds=60))
        assert "The new shop" in (await browser.get("/shop@newest/")).text


async def test_a_few_ill_answers_among_many_good_ones_end_no_watch(platform: Platform) -> None:
    await platform.create(shop())
    await platform.change(program(ILL, share=100, watchSeconds=60, health="/healthz"))
    async with visitor(platform) as browser:
        for _ in range(20):
            await browser.get("/shop/well")
        for _ in range(4):
            await browser.get("/shop/ill")
    await platform.turn("shop")
    assert platform.find("shop").rollout.newer is not None


async def test_one_that_dies_with_all_the_traffic_is_started_again(platform: Platform) -> None:
    await platform.create(program(DIES))
    with pytest.raises(NoAnswer):
        await platform.answer("shop", Request(method="GET", path="/die", headers={}))
    async with asyncio.timeout(60):
        while True:
            await platform.turn("shop")
            try:
                said, _ = await platform.answer("shop", PAGE)
                break
            except NoAnswer:
                await asyncio.sleep(0.05)
    assert said.content() == b"newer"


def test_one_that_does_not_start_is_tried_ever_more_rarely() -> None:
    assert [pause_after(times) for times in (1, 2, 5, 6, 50)] == [2, 4, 32, 60, 60]


async def test_what_was_declared_outlives_the_process(
    engine: Engine, image: str, options: SandboxOptions, folder: Path, clock: Clock, platform: Platform
) -> None:
    await platform.create(shop())
    await platform.change(shop(title="The new shop", share=50, watchSeconds=60))
    await platform.close()  # as its end does; its containers are gone
    second = Platform(Containers(engine, options), image, folder, clock=clock)
    try:
        await second.turn("shop")
        assert set(await titles(second, times=4)) == {"The shop", "The new shop"}
        await second.delete("shop")
    finally:
        await second.close()
    assert list(folder.iterdir()) == []


async def test_a_service_reaches_nothing_and_its_page_speaks_with_nobody(platform: Platform) -> None:
    await platform.create(program(ATTACK))
    async with visitor(platform) as browser:
        answer = await browser.get("/shop/")
        elsewhere = await browser.get("/shop/", headers={"Host": "evil.example.com"})
    found = answer.json()
    assert {found[name] for name in ("network", "gateway", "metadata", "names", "write")} <= {"OSError", "gaierror"}
    assert (found["engine"], found["root"]) == (False, False)
    assert found["environment"] == ["HOME", "LANG", "PATH", "PORT", "PYTHONUNBUFFERED"]
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert answer.headers[RELEASE] == platform.find("shop").rollout.current.digest
    assert elsewhere.status_code == 400


async def test_asked_twice_for_one_service_it_is_one_and_another_of_its_name_is_refused(platform: Platform) -> None:
    await platform.create(shop())
    await platform.create(shop())
    with pytest.raises(Exists):
        await platform.create(shop(title="Of somebody else"))
    with pytest.raises(Unknown):
        await platform.change(shop(name="other"))
    with pytest.raises(Unknown):
        await platform.delete("other")
    assert set(await titles(platform, times=2)) == {"The shop"}


async def test_the_provider_looks_by_one_token_and_changes_by_another(platform: Platform) -> None:
    app = control_app(platform, look="look-canary", change="change-canary")
    look, change = ({"Authorization": f"Bearer {one}-canary"} for one in ("look", "change"))
    text = shop().model_dump_json(by_alias=True)
    at = "/v1/services/shop"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform") as provider:
        for headers in ({}, {"Authorization": "Bearer guessed"}, look):
            for method in ("POST", "PUT", "DELETE"):
                assert (await provider.request(method, at, content=text, headers=headers)).status_code == 403
        assert (await provider.get(at)).status_code == 403
        assert (await provider.get(at, headers=look)).status_code == 404
        assert (await provider.post(at, content=text, headers=change)).status_code == 204
        told = await provider.get(at, headers=look)
        assert Wanted.model_validate(told.json()) == shop()
        other = shop(title="x").model_dump_json(by_alias=True)
        refused = await provider.post(at, content=other, headers=change)
        assert (refused.status_code, "another service" in refused.json()["error"]) == (409, True)
        wrong = await provider.put(at, content='{"name": "shop", "share": 0}', headers=change)
        assert wrong.status_code == 422
        assert "canary" not in wrong.text
        broken = program("raise SystemExit('broken')").model_dump_json(by_alias=True)
        failed = await provider.put(at, content=broken, headers=change)
        assert (failed.status_code, "broken" in failed.json()["error"]) == (422, True)
        assert (await provider.delete(at, headers=change)).status_code == 204
    assert platform.services == {}
