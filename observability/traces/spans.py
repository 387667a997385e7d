"""What a span of OTLP says, as people and searches write it. Pure."""

from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

SERVICE_NAME: Final = "service.name"
_CHILD: Final = "StartChildWorkflow:"
_THERE_ALREADY: Final = "WorkflowAlreadyStartedError"


def text_of(value: AnyValue) -> str:
    """An attribute's value as people and searches write it."""
    match value.WhichOneof("value"):
        case None:
            text = ""
        case "bool_value":
            text = "true" if value.bool_value else "false"
        case "double_value":
            text = f"{value.double_value:g}"
        case "bytes_value":
            text = value.bytes_value.hex()
        case "array_value":
            text = ", ".join(text_of(item) for item in value.array_value.values)
        case "kvlist_value":
            text = ", ".join(f"{item.key}={text_of(item.value)}" for item in value.kvlist_value.values)
        case plain:
            text = str(getattr(value, plain))
    return text


def service_of(batch: ResourceSpans) -> str:
    """The name of the process that a batch came from."""
    names = (text_of(item.value) for item in batch.resource.attributes if item.key == SERVICE_NAME)
    return next(names, "") or "unknown"


def failed(span: Span) -> bool:
    """Whether it is a failure. To find a child that runs already is none: who asked waits in its line."""
    waits = span.name.startswith(_CHILD) and span.status.message.startswith(_THERE_ALREADY)
    return span.status.code == Status.STATUS_CODE_ERROR and not waits
