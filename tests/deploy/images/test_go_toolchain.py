"""Go for the image for updates: only the archive that Go publishes is kept, and what is not needed is left out."""

import io
import stat
import subprocess
import sys
import zipfile
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.images import go_toolchain
from deploy.images.go_toolchain import ARCHIVE, fetch_go, sum_of
from deploy.local.tools import ToolUnavailableError
from tests.sandbox.updates.modules import GO_BEFORE

UNPACK = Path(go_toolchain.__file__).parent / "updates" / "unpack_go.py"


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name in names:
            made.writestr(f"golang.org/toolchain@v0.0.1/{name}", name)
    return packed.getvalue()


class Proxy:
    """Gives one content, whatever is asked for.

    Attributes:
        content: That content; nothing is a 404.
        asked: The paths.
    """

    def __init__(self) -> None:
        self.content, self.asked, self.address = b"", list[str](), ""


@pytest.fixture
def proxy() -> Generator[Proxy]:
    found = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(200 if found.content else 404)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_digest_is_the_one_that_go_writes(tmp_path: Path) -> None:
    (tmp_path / "hello.zip").write_bytes(GO_BEFORE[0].packed())
    assert f" {sum_of(tmp_path / 'hello.zip')}\n" in GO_BEFORE[0].sums


async def test_what_go_publishes_is_fetched_once(tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.content = archive("bin/go")
    (tmp_path / "known.zip").write_bytes(proxy.content)
    wanted = sum_of(tmp_path / "known.zip")
    monkeypatch.setattr(go_toolchain, "_SUMS", {"amd64": wanted, "arm64": wanted})
    for _ in range(2):
        await fetch_go(tmp_path, lambda: None, proxy=proxy.address)
    assert (tmp_path / ARCHIVE).read_bytes() == proxy.content
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("content", [archive("bin/go"), b"no archive", b""])
async def test_anything_else_is_not_kept(tmp_path: Path, proxy: Proxy, content: bytes) -> None:
    proxy.content = content
    with pytest.raises(ToolUnavailableError, match=r"is not the Go that is wanted|cannot be had"):
        await fetch_go(tmp_path, lambda: None, proxy=proxy.address)
    assert [*tmp_path.iterdir()] == []


def test_what_builds_and_tests_go_itself_is_left_out(tmp_path: Path) -> None:
    out = ("src/cmd/go/main.go", "src/fmt/print_test.go", "src/image/testdata/x.png", "test/x.go")
    kept = ("bin/go", "pkg/tool/linux_amd64/vet", "src/fmt/print.go", "go.env")
    (tmp_path / ARCHIVE).write_bytes(archive(*kept, *out))
    subprocess.run([sys.executable, "-I", UNPACK, tmp_path / ARCHIVE, tmp_path / "go"], check=True)
    found = {str(one.relative_to(tmp_path / "go")): one for one in (tmp_path / "go").rglob("*") if one.is_file()}
    assert found.keys() == set(kept)
    assert [name for name in kept if found[name].stat().st_mode & stat.S_IXUSR] == [*kept[:2]]
