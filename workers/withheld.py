"""What a worker's process does without, though libraries import it wherever it is installed.

It is there for other processes: gRPC for Qdrant's client, aiohttp for Slack's and GitHub's. Temporal's and the models'
libraries import it where they find it, for ways of theirs that we do not take, and go without where they do not.
So does requests, by which Vault is asked, with what guesses the encoding of a text: Vault answers JSON, which is UTF-8.
"""

import sys
import warnings
from collections.abc import Sequence
from typing import Final

_BY_ROLE: Final = {"models": ("grpc", "aiohttp", "charset_normalizer")}
"""19 of the models worker's megabytes: `python -m bench.models_memory`."""
_WARNED: Final = "Unable to find acceptable character detection dependency"


def withhold(arguments: Sequence[str]) -> None:
    """Let nothing import it from here on, where this is such a worker's process.

    Args:
        arguments: Of the command, without its name.
    """
    names = _BY_ROLE.get(arguments[1], ()) if arguments[:1] == ["worker"] and len(arguments) > 1 else ()
    if "charset_normalizer" in names:
        warnings.filterwarnings("ignore", message=_WARNED)
    for name in names:
        sys.modules.setdefault(name, None)  # pyright: ignore[reportArgumentType] - Python's own way to say so
