"""The models worker goes without libraries that it does not use, and no other process does."""

import subprocess
import sys

import pytest

from bench.models_memory import megabytes

_LOOK = """
import sys
sys.argv = ["banksman", *sys.argv[1:]]
from workers.withheld import withhold
withhold(sys.argv[1:])
import workers.roles.models, pydantic_ai.models.openai
print(sorted(one for one in ("aiohttp", "grpc") if sys.modules.get(one)))
"""


@pytest.mark.parametrize(
    ("arguments", "loaded"), [(("worker", "models"), []), (("worker", "connectors"), ["aiohttp", "grpc"])]
)
def test_only_the_models_worker_goes_without_them(arguments: tuple[str, ...], loaded: list[str]) -> None:
    line = [sys.executable, "-c", _LOOK, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(loaded)


def test_it_takes_less_memory_for_it() -> None:
    assert megabytes("openai", withheld=True) < megabytes("openai", withheld=False)
