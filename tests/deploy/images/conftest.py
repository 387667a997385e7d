"""A place on the web that releases can be put into."""

import http.server
import io
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - says nothing
        pass


@dataclass
class Web:
    url: str
    folder: Path
    told: list[str] = field(default_factory=list[str])

    def put(self, path: str, content: bytes) -> str:
        """Its digest."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return sha256(content).hexdigest()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Web(f"http://127.0.0.1:{server.server_port}", folder)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def packed() -> Callable[[Mapping[str, bytes]], bytes]:
    """A tar.gz of these files."""

    def pack(files: Mapping[str, bytes]) -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return made.getvalue()

    return pack
