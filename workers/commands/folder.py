"""The embedded environment that a command speaks of, as it wrote itself down."""

import re
from pathlib import Path
from typing import Final

from deploy.local.state import PathTooLong, StackFolder, StackState
from workers.commands.exits import Exit, fail
from workers.settings import Locations

_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
NO_STACK: Final = (
    "no embedded environment is running here: `banksman up` starts one, or set BANKSMAN_TEMPORAL_ADDRESS to reach "
    "another"
)
"""What each command says that needs one."""


def stack_folder() -> StackFolder:
    """The folder of the environment that this command speaks of."""
    try:
        return StackFolder(Locations().folder())
    except PathTooLong as error:
        fail(str(error), Exit.USAGE)


def rehearsal_file(named: str) -> Path:
    """Where the document of a rehearsal is: at a path, or by its digest among those that were made here."""
    found = _DIGEST.fullmatch(named)
    return Path(named) if found is None else stack_folder().root / "rehearsals" / f"{found[1]}.json"


def running_stack() -> StackState | None:
    """What the running environment wrote down, if there is one."""
    return stack_folder().read()
