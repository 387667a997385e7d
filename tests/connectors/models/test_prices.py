"""What a request costs: by the file, by the bundled list, or by nobody."""

import socket
from pathlib import Path

import pytest

from connectors.models.deployment import ModelRef
from connectors.models.messages import Tokens
from connectors.models.prices import context_window, cost, priced
from tests.connectors.models.deployed import LAMP, deployed

CLOUD = """\
backends:
  aws: {{kind: bedrock, region: eu-central-1}}
  claude: {{kind: anthropic}}
  gpt: {{kind: openai}}
  lab: {{kind: openai, url: "{url}/v1"}}
  attic: {{kind: ollama, url: "{url}"}}
tiers:
  all:
    - aws/eu.anthropic.claude-sonnet-4-5-20250929-v1:0
    - claude/claude-sonnet-4-5
    - gpt/gpt-5-mini
    - lab/gpt-5-mini
    - attic/qwen3:4b
    - gpt/no-such-model
routes: {{plan: all}}
data: {{aws: [public], claude: [public], gpt: [public], lab: [public], attic: [public]}}
"""
MILLION = Tokens(input=10**6, output=10**6)


@pytest.mark.parametrize(
    ("tokens", "micros"),
    [
        (Tokens(), 0),
        (Tokens(input=1), 2),
        (Tokens(input=1000, output=100), 1900),
        (Tokens(input=1000, output=100, cached_input=400), 1500),
        (Tokens(input=10, cached_input=99), 50),
    ],
)
def test_the_files_price_counts_to_a_millionth_and_rounds_up(tmp_path: Path, tokens: Tokens, micros: int) -> None:
    assert cost(deployed(tmp_path), LAMP, tokens) == micros


@pytest.mark.parametrize(
    ("name", "micros"),
    [
        ("aws/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 19_800),
        ("claude/claude-sonnet-4-5", 18_000),
        ("gpt/gpt-5-mini", 2_250),
    ],
)
def test_the_bundled_list_knows_the_models_of_each_service(tmp_path: Path, name: str, micros: int) -> None:
    assert cost(deployed(tmp_path, text=CLOUD), ModelRef.of(name), Tokens(input=1000, output=1000)) == micros


def test_the_price_that_is_told_is_enough_for_a_long_request_too(tmp_path: Path) -> None:
    models, claude = deployed(tmp_path, text=CLOUD), ModelRef("claude", "claude-sonnet-4-5")
    told = priced(models, claude)
    assert told
    assert told.input_micros + told.output_micros >= (cost(models, claude, MILLION) or 0) > 18_000_000


@pytest.mark.parametrize("name", ["lab/gpt-5-mini", "attic/qwen3:4b", "gpt/no-such-model", "nobody/gpt-5-mini"])
def test_a_server_that_only_speaks_like_a_service_has_no_price_of_it(tmp_path: Path, name: str) -> None:
    models = deployed(tmp_path, text=CLOUD)
    assert cost(models, ModelRef.of(name), MILLION) is None
    assert priced(models, ModelRef.of(name)) is None


def test_counts_that_contradict_each_other_have_no_price(tmp_path: Path) -> None:
    models = deployed(tmp_path, text=CLOUD)
    assert cost(models, ModelRef("claude", "claude-sonnet-4-5"), Tokens(input=1, cached_input=50)) is None


def test_who_says_the_price_is_told(tmp_path: Path) -> None:
    by_file = priced(deployed(tmp_path), LAMP)
    assert by_file
    assert (by_file.input_micros, by_file.output_micros, by_file.by) == (1_500_000, 4_000_000, "file")
    bundled = priced(deployed(tmp_path, text=CLOUD), ModelRef("gpt", "gpt-5-mini"))
    assert bundled
    assert bundled.by.startswith("genai-prices ")


def test_the_bundled_list_knows_how_much_a_model_takes(tmp_path: Path) -> None:
    models = deployed(tmp_path, text=CLOUD)
    assert context_window(models.backends["gpt"], "gpt-5-mini") == 400_000
    assert context_window(models.backends["lab"], "gpt-5-mini") is None


def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a price was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    models = deployed(tmp_path, text=CLOUD)
    assert cost(models, ModelRef("gpt", "gpt-5-mini"), MILLION)
