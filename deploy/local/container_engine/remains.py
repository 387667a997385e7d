"""Ends what an engine of ours left running: found by that engine's own folders, never by a name that others have too.

An engine that was killed leaves its containers, each under a process of `containerd`'s that keeps it. Those name, in
their arguments, the folder of the engine's runtime, or a container that lies in the engine's data.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Final

import psutil

_END_SECONDS: Final = 10
_KEEPER: Final = "containerd-shim"
_MANAGER: Final = "containerd"
_ENGINE: Final = "dockerd"


def end_remains(folder: Path, runtime: Path | None) -> bool:
    """End what runs of an engine that has ended; of one that still lives, nothing.

    Args:
        folder: The engine's own, with its data.
        runtime: Where its sockets were; None where nobody knows.

    Returns:
        Whether nothing of it is left: False while the engine lives.
    """
    found = list(_found(folder, runtime))
    if any(_called(arguments, _ENGINE) for _, arguments in found):
        return False
    left = [process for process, _ in found]
    # A container's first process is its keeper's child, and takes all of its container with it.
    everything = [*(child for process in left for child in _children(process)), *left]
    for process in everything:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(everything, timeout=_END_SECONDS)
    return not alive


def _found(folder: Path, runtime: Path | None) -> Iterator[tuple[psutil.Process, Sequence[str]]]:
    data = folder / "data"
    containers = {path.name for path in (*data.glob("containers/*"), *data.glob("*/containers/*"))}
    for process in psutil.process_iter():
        try:
            arguments = process.cmdline() if _outside(process) else []
        except (psutil.Error, OSError):
            continue
        said = _options(arguments)
        if _called(arguments, _ENGINE):
            ours = said.get("data-root") == str(data)
        elif _called(arguments, _KEEPER):
            ours = said.get("id") in containers or _below(said.get("address"), runtime)
        else:
            ours = _called(arguments, _MANAGER) and _below(said.get("config"), runtime)
        if ours:
            yield process, arguments


def _outside(process: psutil.Process) -> bool:
    """Whether it is in no container: what runs in one may call itself an engine, and say that it lives."""
    theirs, ours = (Path(f"/proc/{pid}/ns/pid").readlink() for pid in (process.pid, "self"))
    return theirs == ours


def _called(arguments: Sequence[str], name: str) -> bool:
    """Whether it is this program: by its first argument, which says more than the kernel's fifteen letters."""
    program = PurePath(arguments[0]).name if arguments else ""
    return program == name or (name == _KEEPER and program.startswith(f"{name}-"))


def _options(arguments: Sequence[str]) -> Mapping[str, str]:
    """`-id X`, `--config X` and `--data-root=X`, by name."""
    found: dict[str, str] = {}
    for one, following in pairwise((*arguments, "")):
        if one.startswith("-"):
            name, joined, value = one.lstrip("-").partition("=")
            found[name] = value if joined else following
    return found


def _below(path: str | None, runtime: Path | None) -> bool:
    """An engine with a user namespace adds its ids to the folder's name."""
    if path is None or runtime is None:
        return False
    return path.startswith((f"{runtime}/", f"{runtime}."))


def _children(process: psutil.Process) -> Sequence[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return ()
