"""Take from requirements.lock what an image needs, so that there is one lock and no second one to forget.

The lock tells for each package who asked for it (`# via`). Following that from the project's own dependencies leaves
the development tools out. Only the standard library is used: this runs before anything is installed.

    python select_lock.py requirements.lock                 # what runs
    python select_lock.py requirements.lock --root hatchling  # what builds
"""

import re
import sys
from pathlib import Path
from typing import Final

_PROJECT: Final = "banksman (pyproject.toml)"
_PACKAGE: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)
_VIA: Final = re.compile(r"^    # {1,3}(?:via )?(\S.*)$", re.MULTILINE)


def blocks(lock: str) -> dict[str, str]:
    """The lock's text for each package, in its order."""
    starts = [match.start() for match in _PACKAGE.finditer(lock)]
    texts = [lock[start:end] for start, end in zip(starts, [*starts[1:], len(lock)], strict=True)]
    return {match.group(1): text for text in texts if (match := _PACKAGE.match(text))}


def asked_by(block: str) -> set[str]:
    """Who asked for a package: names of packages, or of the project's dependency lists."""
    return {name.strip() for name in _VIA.findall(block) if name.strip() != "via"}


def select(lock: str, root: str | None = None) -> dict[str, str]:
    """The blocks that the project needs to run; with `root`, those that this one package needs, and itself.

    Raises:
        ValueError: The lock does not hold the root, or nothing of the project.
    """
    packages = blocks(lock)
    chosen = {root or _PROJECT}
    if root is not None and root not in packages:
        raise ValueError(f"{root!r} is not in the lock; write it there first")
    while found := {name for name, block in packages.items() if name not in chosen and asked_by(block) & chosen}:
        chosen |= found
    if chosen == {_PROJECT}:
        raise ValueError("the lock names no dependency of the project; it must be made with its '# via' notes")
    return {name: block for name, block in packages.items() if name in chosen}


def main(arguments: list[str]) -> int:
    """Print the selection."""
    match arguments:
        case [path]:
            root = None
        case [path, "--root", root]:
            pass
        case _:
            sys.stderr.write("usage: select_lock.py LOCK [--root PACKAGE]\n")
            return 2
    sys.stdout.write("".join(select(Path(path).read_text(encoding="utf-8"), root).values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
