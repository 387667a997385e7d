"""What the libraries of a models worker take in memory, for the kinds of backends that its file has.

    python -m bench.models_memory

Each line is a process of its own that imports what a worker of these kinds does. A worker that runs
has some 45 MB more; of what, is not measured.
"""

import subprocess
import sys
from typing import Final

_KINDS: Final = ("openai", "anthropic", "openai,ollama,anthropic,bedrock")
_LOADED: Final = """
import sys
from workers.withheld import withhold
withhold(["worker", "models"] if sys.argv[2] == "yes" else [])
import workers.commands.worker, workers.roles.models
from connectors.models.opening import load
from connectors.models.raw import Kind
load({Kind(one) for one in sys.argv[1].split(",")})
line = next(one for one in open("/proc/self/status") if one.startswith("VmRSS"))
print(int(line.split()[1]) // 1024)
"""


def megabytes(kinds: str, *, withheld: bool) -> int:
    """Of memory, by a process that has loaded these.

    Args:
        kinds: With commas between.
        withheld: Whether it goes without what `workers.withheld` names.

    Raises:
        CalledProcessError: They cannot be loaded.
    """
    line = [sys.executable, "-c", _LOADED, kinds, "yes" if withheld else "no"]
    return int(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print a line for each set of kinds."""
    for kinds in _KINDS:
        before, after = megabytes(kinds, withheld=False), megabytes(kinds, withheld=True)
        sys.stdout.write(f"{kinds}: {after} MB; {before} MB with what is withheld\n")


if __name__ == "__main__":
    main()
