"""ReadFile with one more command and no patch: what the replay test must notice."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.repository.goals import ReadFileInput, ReadFileResult
    from workflows.repository.read_file import ReadFileWorkflow


@workflow.defn(name="ReadFile")
class WithOneMoreCommand(ReadFileWorkflow):
    """The same goal, a second later."""

    @workflow.init
    def __init__(self, request: ReadFileInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ReadFileInput) -> ReadFileResult:
        """Sleep first."""
        await workflow.sleep(1)
        return await super().run(request)
