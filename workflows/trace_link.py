"""The way from a goal in the Temporal UI to its traces."""

from urllib.parse import quote


def with_traces(description: str, goal_id: str, page: str | None) -> str:
    """What the Temporal UI tells of a goal below its summary: what such a goal does, and where its traces are.

    Args:
        description: Of the goal.
        goal_id: Its workflow id.
        page: Of a goal's traces, with `{workflow_id}` for that id; None where nobody has set one.
    """
    if page is None:
        return f"{description}\n\nIts traces: `banksman trace` and its workflow id."
    return f"{description}\n\n[Its traces]({page.replace('{workflow_id}', quote(goal_id, safe=''))})"
