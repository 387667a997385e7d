"""Deployments of language models, for tests."""

from pathlib import Path

from connectors.models.deployment import ModelRef, Models
from connectors.models.file import load_models
from connectors.models.messages import Message, Prompt, Text

LAMP = ModelRef("lab", "lamp-1")
FILE = """\
backends:
  lab: {{kind: openai, url: "{url}/v1", seconds: 5}}
  attic: {{kind: ollama, url: "{url}"}}
models:
  lab/lamp-1: {{context: 8192, price: {{input: 1.5, output: 4, cached_input: 0.5}}}}
  attic/qwen3:4b: {{price: {{input: 0, output: 0}}}}
tiers:
  small: [attic/qwen3:4b, lab/lamp-1]
  large: [lab/lamp-1]
routes: {{plan: large, read: small}}
data:
  lab: [public, repository]
  attic: [public, repository, log, private]
limits: {{goal: {{usd: 2, requests: 60, minutes: 30}}, day: {{usd: 100, per: requester}}}}
"""


def written(folder: Path, url: str = "http://127.0.0.1:1", text: str = FILE) -> Path:
    """The file."""
    path = folder / "models.yaml"
    path.write_text(text.format(url=url))
    return path


def deployed(folder: Path, url: str = "http://127.0.0.1:1", text: str = FILE) -> Models:
    """What it says."""
    return load_models(written(folder, url, text))


def asks(text: str = "Is the lamp lit?") -> Prompt:
    """A prompt of one text."""
    return Prompt(messages=(Message(role="user", parts=(Text(text=text),)),))
