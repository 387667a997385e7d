"""The order of commands in all workflow code, read from its source: a ratchet that needs no server.

Replay covers the recorded paths; this covers the rest. A reviewer sees a changed sequence as a changed line. A key says
class and function, and the module only where two of them have the same: code that moves to another folder with the
commands that it has leaves everything as it is.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Final

from tests.replay.commands import commands
from tests.replay.sources import Sources
from workers.replayed import SOURCES, replayed_modules

FILE: Final = Path(__file__).parent / "fingerprints.json"


def fingerprints(sources: Path = SOURCES) -> dict[str, list[str]]:
    """For each function of workflow code, what leads to commands in it, in source order.

    Args:
        sources: The folder that our packages lie in.
    """
    modules = replayed_modules(sources)
    found = commands(Sources(modules))
    short = {full: _inside(full, modules) for full in found}
    shared = Counter(short.values())
    return {name if shared[name := short[full]] == 1 else full: found[full] for full in sorted(found)}


def recorded() -> dict[str, list[str]]:
    """The fingerprints of the last release."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def record() -> None:
    """Keep those of now. Alone, where functions have other names or places, and no command has changed."""
    FILE.write_text(json.dumps(fingerprints(), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _inside(full: str, modules: dict[str, Path]) -> str:
    """A name without its module."""
    module = max((name for name in modules if full.startswith(f"{name}.")), key=len)
    return full.removeprefix(f"{module}.")


if __name__ == "__main__":
    record()
