"""What all kinds of updates need in their container: programs, the commit's files, the tree of one lock file.

It is sent with each order, as a part of one text, and uses the standard library only.
"""

# ruff: noqa: S603, PLW1510, TID251
# the tools are the image's own, by the PATH that the order sets; this file runs in the container

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

LOCKS = {
    "python": ("uv.lock",), "npm": ("package-lock.json",), "pip": ("requirements*.txt", "requirements/*.txt"),
    "go": ("go.mod",),
}  # fmt: skip
_OTHERS = {"node_modules", "vendor", "testdata"}
_MANIFESTS = {"python": "pyproject.toml", "npm": "package.json", "go": "go.mod"}
PYTHON = shutil.which("python3") or "python3"
TAIL = 600
_GIT = ("git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
QUIET = ("--no-build", "--no-progress", "--color", "never", "--no-python-downloads")
UV = (*QUIET, "--python", PYTHON)


class Refused(Exception):
    """It is not done; the reason is told."""


def git(*argv: str) -> bytes:
    """What git answers; of a repository's own settings none that run something."""
    return subprocess.run([*_GIT, *argv], capture_output=True, check=True).stdout


def run(folder: Path, *argv: str, answers: tuple[int, ...] = (0,), **more: str) -> subprocess.CompletedProcess[str]:
    """One program to its end.

    Raises:
        Refused: It is not in the image, or it ended otherwise.
    """
    if shutil.which(argv[0]) is None:
        raise Refused(f"the image has no {argv[0]!r}: build it with `python -m deploy.images --updates`")
    ran = subprocess.run(argv, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, errors="replace")
    if ran.returncode not in answers:
        said = (ran.stderr.strip() or ran.stdout.strip())[-TAIL:]
        raise Refused(f"`{' '.join(argv[:2])}` ended with {ran.returncode}: {said}")
    return ran


def lock_meant(asked: dict[str, Any]) -> str:
    """The path of the one lock file that is meant.

    Raises:
        Refused: There is none, or there are several.
    """
    names = [name for of, names in LOCKS.items() if asked["ecosystem"] in (None, of) for name in names]
    found = [one for one in listed(*(f"**/{name}" for name in names)) if not _OTHERS & set(one.split("/"))]
    if asked["write"]:
        within = set(listed(*asked["write"]))
        found = [one for one in found if one in within]
    alone = [one for one in found if kind_of(one) == "pip" and not listed(source_of(one))]
    found = [one for one in found if one not in alone]
    if alone and not found:
        raise Refused(
            f"{alone[0]!r} has no {source_of(alone[0])!r} beside it, so that nothing says what of it is asked for and "
            "what follows from that: write what is asked for there, and have `uv pip compile` make the pins of it"
        )
    if not found:
        raise Refused(f"there is no {' and no '.join(names)} here: other lock files are not updated yet")
    if len(found) > 1:
        raise Refused(
            f"there are {len(found)} lock files, and one pull request is for one: name it in 'write', as one of "
            f"{', '.join(sorted(found)[:10])}"
        )
    return found[0]


def listed(*globs: str) -> list[str]:
    """Files of the commit, by git's patterns."""
    listed = git("ls-files", "-z", "--", *(f":(glob){one}" for one in globs)).decode(errors="replace")
    return [one for one in listed.split("\0") if one]


def kind_of(lock: str) -> str:
    """Whose lock file it is."""
    return {"uv.lock": "python", "package-lock.json": "npm", "go.mod": "go"}.get(Path(lock).name, "pip")


def source_of(pins: str) -> str:
    """The file that pins are made of, by its name."""
    return pins.removesuffix(".txt") + ".in"


class Tree:
    """The folder of one lock file, whose addresses lead to the mirror until `back`."""

    def __init__(self, lock: str, hosts: list[str], mirror: str) -> None:
        self.lock, self.hosts, self.mirror = Path(lock), hosts, mirror
        self.folder, self.ecosystem = self.lock.parent, kind_of(lock)
        named = _MANIFESTS.get(self.ecosystem)
        self.manifest = self.folder / named if named else Path(source_of(lock))
        if any(one.is_symlink() or not one.is_file() for one in (self.lock, self.manifest)):
            raise Refused(f"{lock!r} or {str(self.manifest)!r} is no plain file")
        if any(one.is_symlink() for one in self.lock.parents):
            raise Refused(f"{lock!r} lies behind a link")
        self.before = self.lock.read_text(encoding="utf-8")
        self.sums = self.folder / "go.sum" if self.ecosystem == "go" else None
        if self.sums is not None and (self.sums.is_symlink() or not self.sums.is_file()):
            raise Refused(f"{str(self.sums)!r} is no plain file: `go mod tidy` writes it")
        self.sums_before = self.sums_now

    def lead(self, text: str) -> str:
        """The same with the registries' addresses at the mirror."""
        for host in self.hosts:
            text = text.replace(f"https://{host}/", f"{self.mirror}/{host}/")
        return text

    def begin(self, text: str, sums: str) -> None:
        """The lock file as this, and the manifest, for a tool. What says where npm asks is taken away."""
        manifest = git("show", f"HEAD:./{self.manifest}").decode()
        self.manifest.write_text(self.lead(manifest), encoding="utf-8")
        self.lock.write_text(self.lead(text), encoding="utf-8")
        if self.sums is not None:
            self.sums.write_text(sums, encoding="utf-8")
        for odd in {self.folder / ".npmrc", Path(".npmrc")}:
            odd.unlink(missing_ok=True)

    @property
    def index(self) -> str:
        """The index as the lock file writes it, with a slash at its end or without."""
        index = os.environ.get("UV_DEFAULT_INDEX", "")
        return index if f'"{index}"' in self.lead(self.before) else index.rstrip("/")

    @property
    def sums_now(self) -> str:
        """The file of digests beside it, as a tool left it; nothing where there is none of that kind."""
        return self.sums.read_text(encoding="utf-8") if self.sums is not None else ""

    def now(self) -> str:
        """The lock file as a tool left it, with the registries' own addresses."""
        return self.lock.read_text(encoding="utf-8").replace(f"{self.mirror}/", "https://")


def mirror_address() -> str:
    """The mirror's own address."""
    for name in ("UV_DEFAULT_INDEX", "npm_config_registry", "GOPROXY"):
        if url := os.environ.get(name):
            return "/".join(url.split("/")[:3])
    raise Refused("no registry is opened for this run")
