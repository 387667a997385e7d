"""Workflows that ask a language model: once, and in turns."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.models.contracts import REQUEST, ModelAnswered, RequestModel
    from connectors.models.messages import Message, ToolCall, ToolResult
    from workflows.execute import execute


@workflow.defn(name="AskOnce")
class AskOnce:
    """Asks, and answers what was answered."""

    @workflow.run
    async def run(self, wanted: RequestModel) -> ModelAnswered:
        """Ask."""
        return await execute(REQUEST, wanted, summary="ask a language model")


@workflow.defn(name="AskOften")
class AskOften:
    """Asks in turns, each with what a tool answered."""

    @workflow.run
    async def run(self, wanted: RequestModel, results: list[str]) -> str | None:
        """Ask; each turn carries only what is new."""
        for reference in results:
            answered = await execute(REQUEST, wanted, summary="ask a language model")
            call = next((one for one in answered.answer.parts if isinstance(one, ToolCall)), None)
            if call is None:
                return answered.transcript
            result = ToolResult(id=call.id, tool=call.tool, reference=reference)
            told = wanted.prompt.model_copy(update={"messages": (Message(role="user", parts=(result,)),)})
            wanted = wanted.model_copy(update={"prompt": told, "transcript": answered.transcript})
        return wanted.transcript
