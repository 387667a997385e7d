"""A real, small language model as a process: says where it listens, and ends with its standard input."""

import sys
from importlib import import_module
from typing import Any

xllamacpp: Any = import_module("xllamacpp")  # no dependency of ours: `small_model.py` gets it


def main(weights: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_ctx, params.n_parallel = 2048, 1
    params.cpuparams.n_threads = 2
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201 - the one who started it reads it
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
