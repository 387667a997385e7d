"""What a process counts of its requests to language models. Backends and models are those of the file: a closed set."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Counter, Histogram

from connectors.errors import ConnectorError
from connectors.models.deployment import ModelRef
from connectors.models.messages import Tokens
from connectors.models.prices import MICROS
from observability import names
from observability.exemplars import exemplar

_MODEL: Final = ("backend", "model")
_REQUESTS: Final = Counter(
    names.METRIC_MODEL_REQUESTS, "Requests to a language model, by what became of them.", (*_MODEL, "outcome")
)
_SECONDS: Final = Histogram(
    names.METRIC_MODEL_SECONDS,
    "Seconds that one request to a language model took.",
    _MODEL,
    buckets=(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0),
)
_TOKENS: Final = Counter(
    names.METRIC_MODEL_TOKENS, "Tokens, by the backend's own count; cached ones are input, too.", (*_MODEL, "kind")
)
_DOLLARS: Final = Counter(
    names.METRIC_MODEL_COST, "US dollars that answered requests have cost, where the price is known.", _MODEL
)
_TURNS: Final = Histogram(
    names.METRIC_MODEL_TURN_SECONDS, "Seconds that a request waited for its backend's turn, or in vain.", ("backend",)
)


@contextmanager
def counted(ref: ModelRef) -> Generator[None]:
    """One request; its outcome is the kind of its error."""
    outcome, began = "cancelled", time.monotonic()
    try:
        yield
        outcome = "ok"
    except ConnectorError as error:
        outcome = type(error).__name__
        raise
    finally:
        _REQUESTS.labels(*ref, outcome).inc(exemplar=exemplar())
        _SECONDS.labels(*ref).observe(time.monotonic() - began, exemplar())


@contextmanager
def waited(backend: str) -> Generator[None]:
    """A wait for a turn."""
    began = time.monotonic()
    try:
        yield
    finally:
        _TURNS.labels(backend).observe(time.monotonic() - began, exemplar())


def count_answer(ref: ModelRef, tokens: Tokens, micros: int | None) -> None:
    """An answer came, and says what it has used."""
    for kind in ("input", "output", "cached_input"):
        _TOKENS.labels(*ref, kind).inc(getattr(tokens, kind), exemplar())
    if micros:
        _DOLLARS.labels(*ref).inc(micros / MICROS, exemplar())
