"""botocore's own description of Bedrock's runtime: what requests and answers of the twin are held against."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from pydantic import JsonValue

from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.wires import eventstream
from connectors.twins.handlers import NotAsDeclared


class _Report(Protocol):
    def has_errors(self) -> bool: ...

    def generate_report(self) -> str: ...


class _Validator(Protocol):
    def validate(self, params: object, shape: object) -> _Report: ...


class _OperationModel(Protocol):
    input_shape: object
    output_shape: object


class _ServiceModel(Protocol):
    def operation_model(self, name: str) -> _OperationModel: ...

    def shape_for(self, name: str) -> object: ...


class _Loader(Protocol):
    def load_service_model(self, service_name: str, type_name: str) -> Mapping[str, object]: ...


class Service:
    """The description: the one border at which botocore's untyped values are read."""

    def __init__(self) -> None:
        described = cast("_Loader", Loader()).load_service_model("bedrock-runtime", "service-2")
        self._model = cast("_ServiceModel", ServiceModel(described))
        self._validator = cast("_Validator", ParamValidator())

    def fit(self, operation: str, given: Mapping[str, JsonValue]) -> None:
        """Hold a request against it.

        Raises:
            Refusal: It does not fit.
        """
        if (problem := self._problem(given, self._model.operation_model(operation).input_shape)) is not None:
            raise Refusal(Kind.MALFORMED, problem)

    def told(self, operation: str, answer: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """An answer that fits.

        Raises:
            NotAsDeclared: It does not: a mistake in the twin.
        """
        return self._fits(answer, self._model.operation_model(operation).output_shape)

    def event(self, kind: str, content: dict[str, JsonValue]) -> bytes:
        """An event of the stream that fits.

        Raises:
            NotAsDeclared: It does not: a mistake in the twin.
        """
        self._fits({kind: content}, self._model.shape_for("ConverseStreamOutput"))
        return eventstream.event(kind, json.dumps(content).encode())

    def _fits(self, answer: dict[str, JsonValue], shape: object) -> dict[str, JsonValue]:
        if (problem := self._problem(answer, shape)) is not None:
            raise NotAsDeclared(f"the twin's answer is none: {problem}")
        return answer

    def _problem(self, value: object, shape: object) -> str | None:
        report = self._validator.validate(value, shape)
        return report.generate_report() if report.has_errors() else None


@cache
def service() -> Service:
    """It, read once: it is large."""
    return Service()
