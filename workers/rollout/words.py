"""What people wrote, as far as Temporal keeps it: the audit log has the digest, by which other words are noticed."""

from collections.abc import Iterable, Mapping

from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from activities.guard.opinion_facts import words_digest
from workers.rollout.evidence import SaidOpinion
from workflows.opinions.contracts import KeptOpinion

_NOT_THERE = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})


async def read_words(client: Client, opinions: Iterable[SaidOpinion]) -> Mapping[tuple[str, str], str]:
    """By goal run and person; without those that are gone, and those that are others than were kept.

    Raises:
        RPCError: Temporal does not answer.
    """
    found: dict[tuple[str, str], str] = {}
    for one in opinions:
        words = await _words(client, one)
        if words is not None and words_digest(words) == one.facts.words:
            found[one.facts.goal_run, one.facts.person] = words
    return found


async def _words(client: Client, one: SaidOpinion) -> str | None:
    if one.facts.words == words_digest(""):
        return ""
    workflow_id, run_id = one.kept_as
    handle = client.get_workflow_handle(workflow_id, run_id=run_id, result_type=KeptOpinion)
    try:
        return (await handle.result(follow_runs=False)).words
    except RPCError as error:
        if error.status in _NOT_THERE:
            return None
        raise
    except (WorkflowFailureError, ValueError, RuntimeError):
        return None
