"""What an investigation found, as people hear of it: left to a workflow of its own, so that it waits for no Slack."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from hitl.hidden import visible
    from workflows.agent.findings_contracts import FINDINGS_NOTICE, MOST_TOLD_LINES, TELL_FINDINGS, TellFindings
    from workflows.agent.goals import InvestigateResult
    from workflows.execute import execute

_TELLING: Final = timedelta(hours=1)
_LONGEST: Final = 600


def found_lines(found: InvestigateResult) -> tuple[str, ...]:
    """What people read in a thread: claims with one quotation each, what is not known, and whether a plan is there."""
    lines = [_claim(one.says, one.evidence[0].quote if one.evidence else "", proved=one.proved) for one in found.claims]
    if found.unknown:
        lines.append(f"Not known: {found.unknown}")
    if found.suggested is not None:
        title = found.suggested.plan.get("title")
        lines.append(f"It suggests a plan, which nothing runs: {title} ({found.suggested.effect})")
    return tuple(visible(one)[:_LONGEST] for one in lines[:MOST_TOLD_LINES])


def _claim(says: str, quote: str, *, proved: bool) -> str:
    return f"{'' if proved else 'UNPROVED: '}{says}" + (f' ("{quote}")' if quote else "")


async def leave_notice(found: InvestigateResult) -> None:
    """Have it said below the message about the goal, where there is one; returns when that was begun."""
    lines = found_lines(found)
    if not lines:
        return
    try:
        await workflow.start_child_workflow(
            FINDINGS_NOTICE,
            TellFindings(lines=lines),
            id=f"findings/{workflow.uuid4()}",
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary="Say what was found",
        )
    except WorkflowAlreadyStartedError:
        workflow.logger.warning("people are not told what was found: somebody holds the notice's id")


@workflow.defn(name=FINDINGS_NOTICE)
class FindingsNoticeWorkflow:
    """Says it once. Where that cannot be done, it ends: what was found is the goal's result all the same."""

    @workflow.run
    async def run(self, request: TellFindings) -> None:
        """Say it."""
        preset = TELL_FINDINGS.preset.within(_TELLING)
        try:
            await execute(TELL_FINDINGS, request, preset=preset, summary="Say what was found")
        except ActivityError as error:
            workflow.logger.warning("people could not be told what was found: %s", error.cause)
