"""A flow as a file of the repository specifies it: of a Flow catalog's file, the one that is needed. Pure.

The file is a stranger's. It has to be whole: what Estuary's `flowctl` reads from other files is bundled before.
"""

from typing import Final, cast

from pydantic import JsonValue, ValidationError

from connectors.estuary.models import SpecType
from hitl.policy.yaml import YamlError, read_document
from workflows.estuary.goals import PublishFlowInput, Specification
from workflows.manifest.needs import FlowNeed

_KINDS: Final[dict[str, SpecType]] = {
    "captures": "capture",
    "collections": "collection",
    "materializations": "materialization",
    "tests": "test",
}
_IN_FILES: Final = ("schema", "writeSchema", "readSchema")


class FlowUnusable(ValueError):
    """The file does not specify the flow. The message says why, and what to do."""


def specified(text: str, need: FlowNeed) -> PublishFlowInput:
    """What publishes the flow.

    Args:
        text: Of the file.
        need: Which flow.

    Raises:
        FlowUnusable: The file has no such specification, or none that can be published.
    """
    try:
        catalog = read_document(text).value
    except YamlError as error:
        raise FlowUnusable(f"{need.file} is no YAML that can be used: {error}") from error
    found = [(kind, model) for key, kind in _KINDS.items() if (model := _member(catalog, key, need.name)) is not None]
    if len(found) != 1:
        times = "does not specify" if not found else f"specifies {len(found)} times"
        raise FlowUnusable(f"{need.file} {times} {need.name}: write it once, below {', '.join(_KINDS)}")
    kind, model = found[0]
    if elsewhere := [key for key in _IN_FILES if isinstance(_member(model, key), str)]:
        raise FlowUnusable(
            f"{need.file} has the {elsewhere[0]} of {need.name} in another file: put it in, as `flowctl raw bundle` "
            "does"
        )
    try:
        wanted = Specification.model_validate({"name": need.name, "type": kind, "model": model})
        return PublishFlowInput(specs=(wanted,))
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise FlowUnusable(f"{need.name} of {need.file} cannot be published: {said}") from error


def _member(value: object, *path: str) -> JsonValue:
    for one in path:
        value = cast("dict[str, object]", value).get(one) if isinstance(value, dict) else None
    return cast("JsonValue", value)
