"""The first process's eyes for what a command left: read name by name, without following a link, and sent as frames.

It lies beside `first_process` in the images, and is imported only where a run keeps something.
"""

# ruff: noqa: PTH116, PTH123, PTH208
# pathlib would cost a third of the time in which this process must be ready

from __future__ import annotations

import json
import os
import stat

TYPE_CHECKING = False  # as typing has it; importing that at run time costs as much as a start of a process
if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.order import Manifest

WORKSPACE = "/workspace"
CHUNK = 65536


class Artifacts:
    """What the command left, read with every other process dead: no link is followed and nothing can change."""

    def __init__(self, manifest: Manifest, send: Callable[[bytes, bytes], None]) -> None:
        self._frame = send
        self.paths = manifest["artifacts"]
        self.bytes_left = manifest["limits"]["artifact_bytes"]
        self.files_left = manifest["limits"]["artifact_files"]
        self.device = os.stat(WORKSPACE).st_dev
        self.refused: list[dict[str, str]] = []

    def send(self) -> list[dict[str, str]]:
        """Send each, and tell what was refused, with its reason."""
        root = os.open(WORKSPACE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        for path in self.paths:
            self._path(root, path)
        return self.refused

    def _path(self, root: int, path: str) -> None:
        """Walk to the path one name at a time; a link on the way refuses it."""
        folder = os.dup(root)
        try:
            *parents, name = path.split("/")
            for parent in parents:
                below = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = below
            self._entry(folder, name, path)
        except FileNotFoundError:
            self._refuse(path, "missing")
        except OSError as error:
            self._refuse(
                path, "link" if stat.S_ISLNK(_mode_on_the_way(root, path)) else f"unreadable: {error.strerror}"
            )
        finally:
            os.close(folder)

    def _refuse(self, path: str, reason: str) -> None:
        if len(self.refused) < 100:  # noqa: PLR2004 - enough to tell people what is wrong
            self.refused.append({"path": path[:500], "reason": reason})

    def _entry(self, folder: int, name: str, path: str) -> None:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            self._refuse(path, "link")
        elif found.st_dev != self.device:
            self._refuse(path, "device")
        elif stat.S_ISDIR(found.st_mode):
            self._tree(folder, name, path)
        elif not stat.S_ISREG(found.st_mode):
            self._refuse(path, "device")
        elif found.st_nlink > 1:
            self._refuse(path, "link")
        elif found.st_size > self.bytes_left or self.files_left <= 0:
            self._refuse(path, "size")
        else:
            self._file(folder, name, path, found)

    def _tree(self, folder: int, name: str, path: str) -> None:
        if path.count("/") > 30:  # noqa: PLR2004 - deeper than any build's output, far from any stack's end
            self._refuse(path, "size")
            return
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            for child in sorted(os.listdir(below)):
                if self.files_left <= 0:
                    self._refuse(path, "size")
                    return
                self._entry(below, child, f"{path}/{child}")
        finally:
            os.close(below)

    def _file(self, folder: int, name: str, path: str, found: os.stat_result) -> None:
        header = {"path": path, "size": found.st_size, "executable": bool(found.st_mode & stat.S_IXUSR)}
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        self.bytes_left -= found.st_size
        self.files_left -= 1
        self._frame(b"A", json.dumps(header).encode())
        with open(descriptor, "rb", buffering=0) as file:
            while data := file.read(CHUNK):
                self._frame(b"D", data)


def _mode_on_the_way(root: int, path: str) -> int:
    """The mode of the first name on the path that is no folder."""
    walked = ""
    for name in path.split("/"):
        walked = f"{walked}/{name}" if walked else name
        try:
            mode = os.stat(walked, dir_fd=root, follow_symlinks=False).st_mode
        except OSError:
            return 0
        if not stat.S_ISDIR(mode):
            return mode
    return 0
