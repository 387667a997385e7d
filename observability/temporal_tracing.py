"""What traces need in a process that works with Temporal: spans of goals and steps, the same ones at every replay.

Loaded there alone, because it loads Temporal.
"""

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor
from temporalio import activity, workflow
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider, create_tracer_provider

from observability.names import (
    ATTR_ACTIVITY_ATTEMPT,
    ATTR_ACTIVITY_TYPE,
    ATTR_RUN_ID,
    ATTR_WORKFLOW_ID,
    ATTR_WORKFLOW_TYPE,
)


class TemporalAttributes(SpanProcessor):
    """Marks every span with the workflow it belongs to, so that 'the trace of this run' is one search."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the interface
        """Add the ids of the running activity or workflow, or those that Temporal's own span was started with."""
        if activity.in_activity():
            task = activity.info()
            span.set_attribute(ATTR_ACTIVITY_TYPE, task.activity_type)
            span.set_attribute(ATTR_ACTIVITY_ATTEMPT, task.attempt)
            _identify(span, task.workflow_id, task.workflow_run_id)
        elif workflow.in_workflow():
            run = workflow.info()
            span.set_attribute(ATTR_WORKFLOW_TYPE, run.workflow_type)
            _identify(span, run.workflow_id, run.run_id)
        else:
            known = span.attributes or {}
            _identify(span, known.get("temporalWorkflowID"), known.get("temporalRunID"))


def _identify(span: Span, workflow_id: object, run_id: object) -> None:
    if workflow_id:
        span.set_attribute(ATTR_WORKFLOW_ID, str(workflow_id))
    if run_id:
        span.set_attribute(ATTR_RUN_ID, str(run_id))


def provider(resource: Resource) -> ReplaySafeTracerProvider:
    """Makes the spans of workflows once, however often they are replayed."""
    # Our own `shutdown` is bounded; the provider's handler at exit would wait for a collector that is away.
    made = create_tracer_provider(resource=resource, shutdown_on_exit=False)
    made.add_span_processor(TemporalAttributes())
    return made


def plugin() -> OpenTelemetryPlugin:
    """For the Temporal client, whose workers inherit it."""
    return OpenTelemetryPlugin(add_temporal_spans=True)
