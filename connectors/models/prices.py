"""What a request costs, in millionths of a US dollar.

By the deployment's file, else by the list that genai-prices brings with it: of the day on which that was released, for
nothing is fetched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

import genai_prices

from connectors.models.deployment import Backend, ModelRef, Models
from connectors.models.messages import Tokens
from connectors.models.raw import Kind, RawPrice

MICROS: Final = 1_000_000
"""Millionths in one US dollar. So many tokens is also what prices are given for."""
_PROVIDERS: Final[Mapping[Kind, str]] = {
    Kind.OPENAI: "openai",
    Kind.ANTHROPIC: "anthropic",
    Kind.BEDROCK: "aws",
    Kind.GOOGLE: "google",
}


@dataclass(frozen=True, kw_only=True)
class Priced:
    """What is known of a model's price.

    Attributes:
        input_micros: For a million tokens of input.
        output_micros: For a million tokens of output.
        by: Who says so: the file, or the bundled list.
    """

    input_micros: int
    output_micros: int
    by: str


def cost(models: Models, ref: ModelRef, tokens: Tokens) -> int | None:
    """Millionths of a US dollar, rounded up; None where nobody knows."""
    if (own := models.price(ref)) is not None:
        return _rounded(_by_file(own, tokens))
    backend = models.backends.get(ref.backend)
    found = _bundled(backend, ref.model, tokens) if backend is not None else None
    return _rounded(found * MICROS) if found is not None else None


def priced(models: Models, ref: ModelRef) -> Priced | None:
    """What a million tokens cost in one request; None where nobody knows.

    Some services sell long requests dearer: this is their price then, so that what is reserved by it is enough.
    """
    whole_input = cost(models, ref, Tokens(input=MICROS))
    both = cost(models, ref, Tokens(input=MICROS, output=MICROS))
    if whole_input is None or both is None:
        return None
    by = "file" if models.price(ref) is not None else f"genai-prices {genai_prices.__version__}"
    return Priced(input_micros=whole_input, output_micros=both - whole_input, by=by)


def context_window(backend: Backend, model: str) -> int | None:
    """How many tokens the model takes, by the bundled list; None where it does not say."""
    provider = _PROVIDERS.get(backend.kind) if backend.standard else None
    if provider is None:
        return None
    try:
        return genai_prices.calc_price(genai_prices.Usage(), model, provider_id=provider).model.context_window
    except (LookupError, ValueError):
        return None


def _by_file(price: RawPrice, tokens: Tokens) -> Decimal:
    """A dollar for a million tokens is a millionth for one."""
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_written is None else price.cache_written
    fresh = max(tokens.input - tokens.cached_input - tokens.cache_written, 0)
    return (
        Decimal(str(price.input)) * fresh
        + Decimal(str(cached)) * tokens.cached_input
        + Decimal(str(written)) * tokens.cache_written
        + Decimal(str(price.output)) * tokens.output
    )


def _bundled(backend: Backend, model: str, tokens: Tokens) -> Decimal | None:
    """US dollars. A server that speaks like a service and is another one has prices of its own."""
    provider = _PROVIDERS.get(backend.kind)
    if provider is None or (not backend.standard and backend.kind is not Kind.BEDROCK):
        return None
    usage = genai_prices.Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_written,
    )
    try:
        return genai_prices.calc_price(usage, model, provider_id=provider).total_price
    except (LookupError, ValueError):
        return None  # a model that it does not know, or counts that contradict each other


def _rounded(micros: Decimal) -> int:
    return int(micros.to_integral_value(rounding=ROUND_CEILING))
