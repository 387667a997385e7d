"""One installation of our App: it hears what GitHub tells of it, and says in its memo how it stands."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.github.contracts import ReceivedDelivery
    from workflows.github.installation_contracts import (
        INSTALLATION_MEMO,
        INSTALLATION_WORKFLOW,
        TOLD,
        InstallationState,
    )
    from workflows.one_input import OneInput


@workflow.defn(name=INSTALLATION_WORKFLOW)
class GitHubInstallationWorkflow(OneInput):
    """It runs until the App is uninstalled there; one that is installed again has another number."""

    @workflow.init
    def __init__(self, state: InstallationState) -> None:
        self._state = state
        self._news = False

    @workflow.run
    async def run(self, state: InstallationState) -> InstallationState:
        """How it stood at its end."""
        del state
        while True:
            await workflow.wait_condition(lambda: self._news)
            self._news = False
            self._say()
            if self._state.deleted:
                return self._state
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)

    @workflow.signal(name=TOLD)
    def told(self, received: ReceivedDelivery) -> None:
        """GitHub told of it."""
        self._state = self._state.told(received, now=workflow.now())
        self._news = True

    @workflow.query
    def state(self) -> InstallationState:
        """How it stands."""
        return self._state

    def _say(self) -> None:
        workflow.upsert_memo({INSTALLATION_MEMO: self._state.model_dump(mode="json")})
