"""What a deployment's file of language models forbids, for the guard: it refuses before a step begins, as by policy."""

from activities.models.contracts import RequestModel
from connectors.models.deployment import ModelRef, Models
from connectors.models.messages import Tokens
from connectors.models.prices import cost
from hitl.protocol import Refusal, RefusalReason


class ModelRules:
    """The file's own rules.

    Args:
        models: The file.
    """

    def __init__(self, models: Models) -> None:
        self._models = models

    def refuse(self, request: object) -> Refusal | None:
        """Why this request may not be asked, or None where it may."""
        if not isinstance(request, RequestModel):
            return None
        ref = ModelRef(request.backend, request.model)
        return self.refuse_model(ref) or self.refuse_data(ref, request.labels)

    def refuse_model(self, ref: ModelRef) -> Refusal | None:
        """Why this model may never be asked."""
        if ref not in self._models.asked:
            text = f"{self._models.source} has no tier with {str(ref)!r}; an operator can add it there."
            return Refusal(reason=RefusalReason.UNKNOWN_MODEL, explanation=text)
        if self._models.limits.money and cost(self._models, ref, Tokens(input=1, output=1)) is None:
            text = (
                f"Nobody knows the price of {str(ref)!r}, and {self._models.source} limits money; an operator can add "
                f"it under `models`, as in `{ref}: {{price: {{input: 0, output: 0}}}}`."
            )
            return Refusal(reason=RefusalReason.BUDGET, explanation=text)
        return None

    def refuse_data(self, ref: ModelRef, labels: tuple[str, ...]) -> Refusal | None:
        """Why such data may not go to it."""
        forbidden = self._models.not_allowed(ref.backend, labels)
        if not forbidden:
            return None
        text = (
            f"Data that is {' and '.join(map(repr, forbidden))} may not go to {ref.backend!r} by "
            f"{self._models.source}; ask another backend, or have an operator change `data.{ref.backend}`."
        )
        return Refusal(reason=RefusalReason.DATA, explanation=text)
