"""A real, small model behind the real tunnel, asked as the models worker asks. What it says measures nothing."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.messages import Ended, Message, Prompt, Text
from connectors.served.asking import look
from tests.connectors.models.deployed import deployed
from tests.connectors.models.twin.small_running import small_server
from tests.connectors.served.tunnelled import CALLER, Tunnelled, tunnelled, until

FILE = """\
backends:
  gpu: {{kind: openai, url: "{url}/gpu/v1"}}
models: {{gpu/smol: {{price: {{input: 0, output: 0}}}}}}
tiers: {{small: [gpu/smol]}}
routes: {{read: small}}
data: {{gpu: [public]}}
served: {{gpu: {{relay: "relay.example:8443", run: [serve]}}}}
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def port() -> Iterator[int]:
    with small_server() as address:
        yield int(address.rpartition(":")[2])


@pytest_asyncio.fixture
async def place(tmp_path: Path, port: int) -> AsyncGenerator[Tunnelled]:
    async with tunnelled(tmp_path) as found:
        await found.claim()
        async with found.machine(port):
            yield found


async def test_a_real_model_answers_through_the_tunnel(place: Tunnelled, tmp_path: Path) -> None:
    models = deployed(tmp_path, place.url, FILE)

    async def is_well() -> bool:
        return (await look(models.backends["gpu"].url or "", "smol", SecretStr(CALLER))).answers

    await until(is_well)
    prompt = Prompt(messages=(Message(role="user", parts=(Text(text="Say yes."),)),), max_tokens=8)
    answer = await ModelClient(models).ask(ModelRef("gpu", "smol"), prompt, {"key": SecretStr(CALLER)})
    assert answer.ended in {Ended.STOP, Ended.LENGTH}
    assert answer.tokens is not None
    assert 0 < answer.tokens.output <= 8
