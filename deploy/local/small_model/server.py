"""The server as a process: says where it listens, and ends with its standard input."""

import sys
from importlib import import_module
from typing import Any, Final

_THREADS: Final = 2


def main(packages: str, weights: str, context: str, most: str) -> None:
    """Serve until nobody holds the other end of standard input.

    Args:
        packages: The folder of the server's package, which is none of ours.
        weights: The model.
        context: Tokens that it takes.
        most: Tokens that it answers with at most, however many it is asked for.
    """
    sys.path.insert(0, packages)
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_ctx, params.n_parallel, params.n_predict = int(context), 1, int(most)
    params.sampling.temp, params.sampling.seed = 0.0, 1
    params.cpuparams.n_threads = _THREADS
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201 - the one who started it reads it
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
