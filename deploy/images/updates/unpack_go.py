"""Unpack Go, as the module proxy has it, without what builds Go itself and what tests it.

python3 unpack_go.py ARCHIVE FOLDER
"""

# ruff: noqa: INP001
# it runs in the image's build alone

import sys
import zipfile
from pathlib import Path

_LEFT_OUT = ("src/cmd/", "src/runtime/race/internal/", "test/", "api/", "doc/", "misc/")


def main() -> None:
    """Write the files; programs can be run, and nothing runs here."""
    archive, folder = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
    for entry in archive.infolist():
        name = entry.filename.split("/", 2)[2]  # without golang.org/toolchain@VERSION
        if name.startswith(_LEFT_OUT) or "/testdata/" in name or name.endswith("_test.go"):
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(archive.read(entry))
        path.chmod(0o755 if name.startswith(("bin/", "pkg/tool/")) else 0o644)


if __name__ == "__main__":
    main()
