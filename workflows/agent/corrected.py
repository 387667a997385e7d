"""A plan and its corrections: what a model wrote goes back to it with all that is wrong, as often as it may."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.agent.planning_contracts import AnswerRead, PlannerBriefed, ReadAnswerRequest
    from activities.models.contracts import ModelAnswered
    from workflows.agent.planner import Planner

Read = Callable[[ReadAnswerRequest], Awaitable[AnswerRead]]
Note = Callable[[ModelAnswered], None]


async def corrected(  # noqa: PLR0913 - what one conversation is made of
    planner: Planner,
    brief: PlannerBriefed,
    *,
    text: str,
    answers: tuple[str, ...],
    corrections: int,
    read: Read,
    note: Note,
) -> AnswerRead:
    """An answer without mistakes, or the last one, when it was given back as often as it may be.

    Args:
        planner: Asks.
        brief: What it is told.
        text: What was asked in words.
        answers: What people answered to questions of before.
        corrections: How often an answer is given back.
        read: Looks at an answer.
        note: Told of each answer before it is looked at.

    Raises:
        NoModel: Nobody answers.
    """
    last, found = None, None
    for _ in range(corrections + 1):
        answered, last = await planner.plan(last, found)
        note(answered)
        request = ReadAnswerRequest(answer=last.reference or "", lists=brief.lists, text=text, answers=answers)
        found = await read(request)
        if not found.mistakes:
            break
    return found or AnswerRead()
