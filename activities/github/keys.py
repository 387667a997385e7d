"""By which key what a workflow makes on GitHub is found again: its id, as Temporal says it."""

from temporalio import activity

from connectors.errors import InvalidRequest


def workflow_key() -> str:
    """The id of the workflow whose step runs here, on one line that a commit or a comment can carry.

    Raises:
        InvalidRequest: It would end the line or the hidden comment that it stands in.
    """
    workflow = activity.info().workflow_id or ""
    if not workflow or not workflow.isprintable() or workflow != workflow.strip() or set("<>") & set(workflow):
        raise InvalidRequest(
            f"workflow id {workflow!r} cannot be written into what is made on GitHub: start the goal with an id "
            "without '<', '>' and line breaks"
        )
    return workflow
